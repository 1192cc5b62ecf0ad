package org.canao.answers

import android.text.Editable
import android.text.Spanned.SPAN_EXCLUSIVE_EXCLUSIVE
import android.text.style.BackgroundColorSpan
import android.text.style.ForegroundColorSpan
import android.widget.EditText

/** A text that can be edited, with one part of it marked. */
class MarkedText(private val field: EditText) {
    init {
        // A drag scrolls the text while it has more than it shows, and else the page.
        field.setOnTouchListener { view, _ ->
            val scrolls = view.canScrollVertically(1) || view.canScrollVertically(-1)
            view.parent.requestDisallowInterceptTouchEvent(scrolls)
            false
        }
    }

    /** Marks a part that the text has, and scrolls to it. */
    fun mark(span: Span, ground: Int, ink: Int) {
        unmark()
        val text: Editable = field.text
        if (span.isNone || span.end > text.length) return
        for (style in listOf(BackgroundColorSpan(ground), ForegroundColorSpan(ink))) {
            text.setSpan(style, span.start, span.end, SPAN_EXCLUSIVE_EXCLUSIVE)
        }
        field.bringPointIntoView(span.start)
    }

    /** Takes the mark away, and colours that a pasted text brought along. */
    fun unmark() {
        val text: Editable = field.text
        for (kind in listOf(BackgroundColorSpan::class.java, ForegroundColorSpan::class.java)) {
            text.getSpans(0, text.length, kind).forEach(text::removeSpan)
        }
    }
}
