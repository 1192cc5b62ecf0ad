static uint64_t canao_number(const unsigned char *bytes, int count) {
  uint64_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

/* The CRC-32 of zlib, eight bytes at a time. */
static uint32_t canao_crc32(const unsigned char *data, size_t bytes) {
  uint32_t table[8][256];
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t value = n;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
    table[0][n] = value;
  }
  for (int k = 1; k < 8; ++k)
    for (int n = 0; n < 256; ++n)
      table[k][n] = table[k - 1][n] >> 8 ^ table[0][table[k - 1][n] & 0xFF];
  uint32_t crc = 0xFFFFFFFFu;
  for (; bytes >= 8; data += 8, bytes -= 8) {
    uint32_t low = crc ^ (uint32_t)canao_number(data, 4);
    crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
          table[4][low >> 24] ^ table[3][data[4]] ^ table[2][data[5]] ^ table[1][data[6]] ^
          table[0][data[7]];
  }
  for (; bytes; ++data, --bytes) crc = crc >> 8 ^ table[0][(crc ^ *data) & 0xFF];
  return ~crc;
}
