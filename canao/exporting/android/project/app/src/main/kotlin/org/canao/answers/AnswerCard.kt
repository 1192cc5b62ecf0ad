package org.canao.answers

import android.app.Activity
import android.view.View
import android.view.ViewGroup
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.widget.ProgressBar
import android.widget.TextView
import kotlin.math.roundToInt

private const val LEAST_SHOWN = 0.01f

/** Shows the answer, how sure the model is, how long it took, and the other candidates. */
class AnswerCard(private val screen: Activity, private val marked: MarkedText) {
    private val answer = screen.findViewById<TextView>(R.id.answer)
    private val facts = screen.findViewById<View>(R.id.facts)
    private val bar = screen.findViewById<ProgressBar>(R.id.confidence_bar)
    private val confidence = screen.findViewById<TextView>(R.id.confidence)
    private val latency = screen.findViewById<TextView>(R.id.latency)
    private val othersTitle = screen.findViewById<View>(R.id.others_title)
    private val others = Chips(screen.findViewById<ViewGroup>(R.id.others), R.style.Candidate, MATCH_PARENT)

    /** Shows one sentence and no answer. */
    fun say(text: String, bad: Boolean = false) {
        marked.unmark()
        tell(text, if (bad) R.color.bad else R.color.soft)
        facts.visibility = View.GONE
        showOthers(emptyList(), "")
    }

    /** Says that an answer is on its way where there is none yet: a long text takes a while. */
    fun waiting() {
        if (facts.visibility != View.VISIBLE) tell(screen.getString(R.string.reading), R.color.soft)
    }

    /** Shows the answers of a text, the first one marked. */
    fun show(reply: Reply, text: String) {
        val best = reply.spans.firstOrNull()
        if (best == null) {
            say(screen.getString(R.string.no_answer))
            return
        }
        val words = if (best.isNone) screen.getString(R.string.no_answer) else words(best, text)
        tell(words, if (best.isNone) R.color.soft else R.color.ink)
        mark(best, R.color.mark, R.color.mark_ink)
        facts.visibility = View.VISIBLE
        bar.progress = (best.score * bar.max).roundToInt()
        confidence.text = screen.getString(R.string.confidence, percent(best.score))
        latency.text = screen.getString(R.string.latency, reply.milliseconds)
        showOthers(reply.spans.drop(1).filterNot(Span::isNone), text)
    }

    private fun showOthers(spans: List<Span>, text: String) {
        othersTitle.visibility = if (spans.isEmpty()) View.GONE else View.VISIBLE
        others.show(spans.map { candidate(it, text) }) { number ->
            others.select(number)
            mark(spans[number], R.color.other, R.color.other_ink)
        }
    }

    private fun candidate(span: Span, text: String) =
        Chip(written(R.string.candidate, span, text), written(R.string.candidate_spoken, span, text))

    private fun tell(text: String, color: Int) {
        // A screen reader says again what is set again.
        if (answer.text.toString() != text) answer.text = text
        answer.setTextColor(screen.getColor(color))
    }

    private fun mark(span: Span, ground: Int, ink: Int) =
        marked.mark(span, screen.getColor(ground), screen.getColor(ink))

    private fun written(format: Int, span: Span, text: String) =
        screen.getString(format, words(span, text), percent(span.score))

    private fun words(span: Span, text: String) = text.substring(span.start, span.end)

    private fun percent(score: Float) =
        if (score < LEAST_SHOWN) screen.getString(R.string.under_one_percent)
        else screen.getString(R.string.percent, (100 * score).roundToInt())
}
