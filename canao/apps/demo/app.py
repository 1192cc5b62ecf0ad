"""The application: the page, and what it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from canao.apps.demo.assets import serve_assets
from canao.apps.demo.event_stream import EventStream
from canao.apps.demo.guard import guarded
from canao.apps.demo.model_facts import Facts, KernelTimes, Limits, model_facts
from canao.apps.demo.schemas import MAX_BODY, AnswerRequest, AnswerResponse, GenerateRequest
from canao.apps.demo.tasks import Task, Tasks, answer_to, written_events
from canao.apps.demo.work_queue import BusyError, StoppingError
from canao.apps.question_answerer import QuestionAnswerer
from canao.apps.text_generator import TextGenerator
from canao.errors import CanaoError

T = TypeVar("T")

_LEFT = 499
"""Status of a response for which nobody waits any more, as nginx has it."""


class _LeftError(Exception):
    """The client has left."""


def create_app(tasks: Tasks) -> ASGIApp:
    """The demo of some tasks. When it ends it closes their queues."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        for task in tasks.by_path.values():
            await asyncio.to_thread(task.queue.close)

    app = FastAPI(
        title="canao demo",
        lifespan=lifespan,
        max_body_size=MAX_BODY,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    serve_assets(app)
    _add_errors(app)
    _add_models(app, tasks)
    if tasks.answering is not None:
        _add_answers(app, tasks.answering)
    if tasks.writing is not None:
        _add_streams(app, tasks.writing)
    return guarded(app)


def _add_answers(app: FastAPI, task: Task[QuestionAnswerer]) -> None:
    @app.post("/api/answer")
    async def answer(asked: AnswerRequest, request: Request) -> AnswerResponse:
        work = task.queue.run(lambda: answer_to(asked, task))
        return await _unless_left(request, work)


def _add_streams(app: FastAPI, task: Task[TextGenerator]) -> None:
    @app.post("/api/generate", response_model=None)
    async def generate(asked: GenerateRequest) -> EventStream:
        return EventStream(task.queue, lambda: written_events(asked, task.by(asked.backend)))


def _add_models(app: FastAPI, tasks: Tasks) -> None:
    @app.get("/api/model")
    async def model() -> Facts:
        facts = {path: model_facts(task.name, task.model) for path, task in tasks.by_path.items()}
        return Facts(limits=Limits(), models=facts)

    @app.get("/api/model/{path}/kernels")
    async def kernels(path: str, request: Request) -> KernelTimes:
        if path not in tasks.by_path:
            raise HTTPException(404, "there is no such task")
        return await _unless_left(request, tasks.by_path[path].kernel_times())


async def _unless_left(request: Request, work: Awaitable[T]) -> T:
    """What some work gives; it is called off, if it has not begun, when the client leaves."""
    wanted = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((wanted, left), return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            raise _LeftError
        return wanted.result()
    finally:
        wanted.cancel()
        left.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _add_errors(app: FastAPI) -> None:
    """Answers of one form for all that goes wrong: {"detail": what, and what to do}."""

    def refuse(status: int, detail: str, **headers: str) -> Response:
        return JSONResponse({"detail": detail}, status, headers)

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> Response:
        return refuse(503, str(error), **{"Retry-After": str(error.retry_after)})

    @app.exception_handler(StoppingError)
    async def stopping(_: Request, error: StoppingError) -> Response:
        return refuse(503, str(error))

    @app.exception_handler(CanaoError)
    async def unfit(_: Request, error: CanaoError) -> Response:
        return refuse(422, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return refuse(422, "; ".join(map(_described, error.errors())))

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    @app.exception_handler(_LeftError)
    async def left(_: Request, __: _LeftError) -> Response:
        return Response(status_code=_LEFT)


def _described(error: dict[str, Any]) -> str:
    """One fault of a request, without what was sent: that may be long, or no text at all."""
    place = ".".join(str(part) for part in error["loc"][1:])
    return f"{place or 'the request'}: {error['msg']}"
