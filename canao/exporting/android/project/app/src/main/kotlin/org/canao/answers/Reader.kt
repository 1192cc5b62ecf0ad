package org.canao.answers

import android.content.Context
import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors

private const val WEIGHTS = "weights.bin"
private const val TOKENIZER = "tokenizer.bin"
private const val MOST = 5

/**
 * Asks the model on a thread of its own; of several questions only the last one is answered.
 *
 * Its functions are for the main thread. The model is opened when the first question comes, and
 * stays open as long as the app.
 */
class Reader(private val context: Context) {
    private val worker = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())
    private var answerer: Answerer? = null

    @Volatile
    private var last = 0

    /** Calls [told] on the main thread with the answers or with what went wrong. */
    fun ask(text: String, question: String, told: (Result<Reply>) -> Unit) {
        val number = ++last
        worker.execute {
            if (number != last) return@execute
            val result = runCatching { opened().ask(text, question, MOST) }
            main.post { if (number == last) told(result) }
        }
    }

    /** What is under way is not wanted any more. */
    fun forget() {
        ++last
    }

    private fun opened(): Answerer = answerer
        ?: Answerer(installedFile(context, WEIGHTS), installedFile(context, TOKENIZER))
            .also { answerer = it }
}
