package org.canao.answers

private const val CONTINUES = 0x80
private const val CONTINUES_MASK = 0xC0
private const val FIRST_OF_FOUR = 0xF0

/**
 * The place in UTF-16 units, as strings of Kotlin count, for a place in bytes of UTF-8.
 *
 * A character outside the basic plane, such as an emoji, has four bytes and two units.
 */
fun unitsBefore(utf8: ByteArray, place: Int): Int {
    var units = 0
    for (number in 0 until place) {
        val byte = utf8[number].toInt() and 0xFF
        if (byte and CONTINUES_MASK == CONTINUES) continue
        units += if (byte >= FIRST_OF_FOUR) 2 else 1
    }
    return units
}
