package org.canao.answers

import android.app.Application

/** Holds the model, which outlives turns of the screen. */
class AnswersApp : Application() {
    val reader by lazy { Reader(this) }
}
