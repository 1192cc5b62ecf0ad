package org.canao.answers

/** The functions of answers_jni.c. Texts and paths are bytes of UTF-8. */
internal object Native {
    init {
        System.loadLibrary("answers")
    }

    /** A model with its tokenizer, as a number that is never 0; throws what says why not. */
    @JvmStatic
    external fun open(weights: ByteArray, tokenizer: ByteArray): Long

    /**
     * How many answers there are, likeliest first, at most as many as [scores] has room for.
     *
     * Answer n is the bytes from places[2 * n] to places[2 * n + 1] of [text]; both are the same
     * where "no answer" is meant. Not for two threads at once.
     */
    @JvmStatic
    external fun ask(
        model: Long,
        text: ByteArray,
        question: ByteArray,
        places: LongArray,
        scores: FloatArray,
    ): Int

    /** Frees the model. */
    @JvmStatic
    external fun close(model: Long)
}
