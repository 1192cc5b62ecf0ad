package org.canao.answers

import android.content.res.AssetManager
import org.json.JSONArray
import org.json.JSONObject

/** A text to ask about, with questions to try. */
class Example(val title: String, val text: String, val questions: List<String>)

/** The texts that come with the app. */
fun readExamples(assets: AssetManager): List<Example> {
    val json = assets.open("examples.json").use { it.readBytes().toString(Charsets.UTF_8) }
    val all = JSONArray(json)
    return (0 until all.length()).map { example(all.getJSONObject(it)) }
}

private fun example(json: JSONObject): Example {
    val questions = json.getJSONArray("questions")
    return Example(
        json.getString("title"),
        json.getString("text"),
        (0 until questions.length()).map(questions::getString),
    )
}
