package org.canao.answers

import android.view.ViewGroup
import android.view.ViewGroup.LayoutParams
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.Button

/** What a button says; [spoken] is what a screen reader says instead. */
class Chip(val text: String, val spoken: String = text)

/** Buttons in a row or a column. */
class Chips(
    private val group: ViewGroup,
    private val style: Int,
    private val width: Int = WRAP_CONTENT,
) {
    private var buttons = emptyList<Button>()

    /** Shows a button for each of [chips]; [chosen] is called with its number. */
    fun show(chips: List<Chip>, chosen: (Int) -> Unit) {
        group.removeAllViews()
        buttons = chips.map(::button)
        buttons.forEachIndexed { number, button ->
            button.setOnClickListener { chosen(number) }
            group.addView(button, LayoutParams(width, WRAP_CONTENT))
        }
    }

    /** Shows which one is chosen; -1 for none. */
    fun select(chosen: Int) {
        buttons.forEachIndexed { number, button -> button.isSelected = number == chosen }
    }

    private fun button(chip: Chip) = Button(group.context, null, 0, style).apply {
        text = chip.text
        contentDescription = chip.spoken
    }
}
