package org.canao.answers

import android.content.Context
import java.io.File
import java.io.IOException

/**
 * A file of the app's assets as one that can be mapped: copied once for each version of the app.
 *
 * Weights are mapped at multiples of 64 bytes, which they have in a file of their own but not
 * inside an APK. A copy is written beside its place and renamed, so that no half is ever read.
 */
fun installedFile(context: Context, name: String): File {
    val info = context.packageManager.getPackageInfo(context.packageName, 0)
    val folder = File(context.noBackupFilesDir, "model")
    val file = File(folder, "${info.lastUpdateTime}-$name")
    if (file.isFile) return file
    if (!folder.isDirectory && !folder.mkdirs()) throw IOException("$folder cannot be made")
    folder.listFiles { _, other -> other.endsWith("-$name") }?.forEach(File::delete)
    val part = File(folder, "part-$name")
    context.assets.open(name).use { from -> part.outputStream().use(from::copyTo) }
    if (!part.renameTo(file)) throw IOException("$file cannot be written")
    return file
}
