package org.canao.answers

import android.app.Activity
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.ViewGroup
import android.view.inputmethod.EditorInfo.IME_ACTION_DONE
import android.view.inputmethod.InputMethodManager
import android.widget.EditText

private const val PAUSE = 200L

/** The screen: a text, a question, and the answer as soon as typing pauses. */
class MainActivity : Activity() {
    private val main = Handler(Looper.getMainLooper())
    private val soon = Runnable { ask() }
    private val reader get() = (application as AnswersApp).reader
    private lateinit var text: EditText
    private lateinit var question: EditText
    private lateinit var marked: MarkedText
    private lateinit var card: AnswerCard
    private lateinit var texts: Chips
    private lateinit var questions: Chips
    private lateinit var examples: List<Example>
    private var chosen = -1

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        text = findViewById(R.id.text)
        question = findViewById(R.id.question)
        marked = MarkedText(text)
        card = AnswerCard(this, marked)
        texts = Chips(findViewById<ViewGroup>(R.id.texts), R.style.Chip)
        questions = Chips(findViewById<ViewGroup>(R.id.questions), R.style.Chip)
        examples = readExamples(assets)
        texts.show(examples.map { Chip(it.title) }) { choose(examples[it]) }
        text.addTextChangedListener(Changed { textChanged() })
        question.addTextChangedListener(Changed { askSoon() })
        question.setOnEditorActionListener { _, action, _ ->
            if (action == IME_ACTION_DONE) hideKeyboard()
            action == IME_ACTION_DONE
        }
        if (savedInstanceState == null) choose(examples.first()) else textChanged()
    }

    override fun onDestroy() {
        main.removeCallbacks(soon)
        reader.forget()
        super.onDestroy()
    }

    private fun choose(example: Example) {
        question.setText("")
        text.setText(example.text)
        text.scrollTo(0, 0)
    }

    /** Offers questions if the text is one of the examples. */
    private fun textChanged() {
        val written = text.text.toString()
        val found = examples.indexOfFirst { it.text == written }
        texts.select(found)
        if (found != chosen) offer(if (found < 0) emptyList() else examples[found].questions)
        chosen = found
        askSoon()
    }

    private fun offer(list: List<String>) = questions.show(list.map { Chip(it) }) {
        hideKeyboard()
        question.setText(list[it])
        question.setSelection(question.length())
    }

    /** Asks when nothing was typed for a moment; what is under way is not wanted any more. */
    private fun askSoon() {
        reader.forget()
        marked.unmark()
        main.removeCallbacks(soon)
        main.postDelayed(soon, PAUSE)
    }

    private fun ask() {
        val written = text.text.toString()
        val asked = question.text.toString()
        if (written.isBlank() || asked.isBlank()) {
            card.say(getString(R.string.ask_first))
            return
        }
        card.waiting()
        reader.ask(written, asked) { result -> show(result, written) }
    }

    private fun show(result: Result<Reply>, written: String) = result.fold(
        { card.show(it, written) },
        { card.say(getString(R.string.failed, it.message ?: it.toString()), bad = true) },
    )

    private fun hideKeyboard() {
        val keyboard = getSystemService(InputMethodManager::class.java)
        keyboard.hideSoftInputFromWindow(question.windowToken, 0)
    }
}
