/* CRC-32 as zlib has it: eight bytes at a time by tables, and where the processor multiplies without carries, sixteen and
   more at a time (V. Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction, 2009). */

#include "crc.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(ANTINODE_PORTABLE)
#include <immintrin.h>
#define HAS_FOLDING 1
#endif

static uint32_t table[8][256];

#ifdef HAS_FOLDING
static int can_fold;
#define LEAST_TO_FOLD 64
#define FOLD __attribute__((target("pclmul,sse4.1"))) static

/* Multiply both halves by the constants of a distance, and add what lies there. */
FOLD inline __m128i
moved(__m128i sum, __m128i distance, __m128i there)
{
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(sum, distance, 0x00), _mm_clmulepi64_si128(sum, distance, 0x11)),
                         there);
}

FOLD inline __m128i
sixteen(const unsigned char *data, int nth)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data + nth);
}

/* Of a multiple of sixteen bytes, 64 at least. The sum is neither inverted before nor behind. */
FOLD uint32_t
folded(uint32_t crc, const unsigned char *data, Py_ssize_t size)
{
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_8 = _mm_set_epi64x(0, 0x0163cd6124), polynomial = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low_words = _mm_setr_epi32(-1, 0, -1, 0);
    __m128i a = _mm_xor_si128(sixteen(data, 0), _mm_cvtsi32_si128((int)crc)), b = sixteen(data, 1);
    __m128i c = sixteen(data, 2), d = sixteen(data, 3);
    for (data += 64, size -= 64; size >= 64; data += 64, size -= 64) {
        a = moved(a, by_64, sixteen(data, 0));
        b = moved(b, by_64, sixteen(data, 1));
        c = moved(c, by_64, sixteen(data, 2));
        d = moved(d, by_64, sixteen(data, 3));
    }
    a = moved(moved(moved(a, by_16, b), by_16, c), by_16, d);
    for (; size >= 16; data += 16, size -= 16) {
        a = moved(a, by_16, sixteen(data, 0));
    }
    /* 128 bits to 64, and these to 32, by Barrett's reduction. */
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by_16, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low_words), by_8, 0x00));
    __m128i quotient = _mm_and_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low_words), polynomial, 0x10), low_words);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, _mm_clmulepi64_si128(quotient, polynomial, 0x00)), 1);
}
#endif

void
antinode_prepare_crc(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
        }
        table[0][byte] = crc;
    }
    for (int position = 1; position < 8; position++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = table[position - 1][byte];
            table[position][byte] = (crc >> 8) ^ table[0][crc & 0xFF];
        }
    }
#ifdef HAS_FOLDING
    can_fold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

uint32_t
antinode_crc(uint32_t crc, const unsigned char *data, Py_ssize_t size)
{
    crc = ~crc;
#ifdef HAS_FOLDING
    if (can_fold && size >= LEAST_TO_FOLD) {
        Py_ssize_t whole = size & ~(Py_ssize_t)15;
        crc = folded(crc, data, whole);
        data += whole;
        size -= whole;
    }
#endif
    for (; size >= 8; size -= 8, data += 8) {
        uint32_t low = crc ^ (data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24);
        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^ table[4][low >> 24]
            ^ table[3][data[4]] ^ table[2][data[5]] ^ table[1][data[6]] ^ table[0][data[7]];
    }
    while (size--) {
        crc = (crc >> 8) ^ table[0][(crc ^ *data++) & 0xFF];
    }
    return ~crc;
}
