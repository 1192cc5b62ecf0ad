package org.canao.answers

import android.text.Editable
import android.text.TextWatcher

/** Calls [told] after each change of a text. */
class Changed(private val told: () -> Unit) : TextWatcher {
    override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit

    override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit

    override fun afterTextChanged(text: Editable?) = told()
}
