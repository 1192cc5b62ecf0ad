package org.canao.answers

import java.io.Closeable
import java.io.File

/** A part of a text, `text.substring(start, end)`, and its probability. */
data class Span(val start: Int, val end: Int, val score: Float) {
    /** Whether it stands for "the text has no answer". */
    val isNone get() = start == end
}

/** Answers, likeliest first, and how long they took. */
data class Reply(val spans: List<Span>, val milliseconds: Double)

/** The model with its tokenizer. Threads may share one: their questions take turns. */
class Answerer(weights: File, tokenizer: File) : Closeable {
    private var model = Native.open(bytes(weights.path), bytes(tokenizer.path))

    /** The [most] likeliest answers; throws what says why there are none. */
    @Synchronized
    fun ask(text: String, question: String, most: Int): Reply {
        check(model != 0L) { "the model is closed" }
        val utf8 = bytes(text)
        val asked = bytes(question)
        val places = LongArray(2 * most)
        val scores = FloatArray(most)
        val begin = System.nanoTime()
        val count = Native.ask(model, utf8, asked, places, scores)
        val milliseconds = (System.nanoTime() - begin) / 1e6
        val spans = (0 until count).map { span(utf8, places, it, scores[it]) }
        return Reply(spans, milliseconds)
    }

    @Synchronized
    override fun close() {
        if (model != 0L) Native.close(model)
        model = 0L
    }

    private fun span(utf8: ByteArray, places: LongArray, number: Int, score: Float) = Span(
        unitsBefore(utf8, places[2 * number].toInt()),
        unitsBefore(utf8, places[2 * number + 1].toInt()),
        score,
    )

    private fun bytes(text: String) = text.toByteArray(Charsets.UTF_8)
}
