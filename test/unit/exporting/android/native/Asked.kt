package org.canao.answers

import java.io.File
import java.util.concurrent.Callable
import java.util.concurrent.Executors

private const val MOST = 5
private const val THREADS = 4

/**
 * Asks all questions of a file of texts and questions, with a zero behind each, from several
 * threads that share a model. Prints a line for each: answers, or what was thrown.
 */
fun main(arguments: Array<String>) {
    val (weights, tokenizer, asked) = arguments.map(::File)
    val pairs = asked.readText().split('\u0000').dropLast(1).chunked(2)
    val answerer = try {
        Answerer(weights, tokenizer)
    } catch (error: Exception) {
        println(error)
        return
    }
    val pool = Executors.newFixedThreadPool(THREADS)
    val all = answerer.use {
        val each = List(THREADS) { _ -> Callable { pairs.map { pair -> line(it, pair) } } }
        pool.invokeAll(each).map { it.get() }
    }
    pool.shutdown()
    check(all.toSet().size == 1) { "threads differ" }
    all.first().forEach(::println)
    println(line(answerer, listOf("closed", "closed")))
}

private fun line(answerer: Answerer, pair: List<String>): String = try {
    val reply = answerer.ask(pair[0], pair[1], MOST)
    check(reply.milliseconds > 0)
    reply.spans.joinToString(" ") { "${it.start} ${it.end} ${it.score}" }
} catch (error: Exception) {
    error.toString()
}
