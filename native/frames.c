/* A record of the spool, stored into mapped memory: `store_frame` of antinode/_spool/writers.py, which is the
   reference, in one call. The format is told in docs/spool-format.md. */

#include "slots.h"

#define MAGIC 0xF5A5CB9Du

/* CRC-32 as zlib has it, eight bytes at a time. */
static uint32_t table[8][256];

void
antinode_make_crc_table(void)
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
}

static uint32_t
crc_of(uint32_t crc, const unsigned char *data, Py_ssize_t size)
{
    crc = ~crc;
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

static void
put_u32(unsigned char *to, uint32_t number)
{
    for (int byte = 0; byte < 4; byte++) {
        to[byte] = (unsigned char)(number >> 8 * byte);
    }
}

void
antinode_put_frame(unsigned char *to, uint32_t salt, uint32_t nth, double logged_at, PyObject *body)
{
    unsigned char head[FRAME_SIZE];
    uint64_t clock;
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(body);
    Py_ssize_t length = PyBytes_GET_SIZE(body);
    memcpy(&clock, &logged_at, sizeof clock);
    put_u32(head + 4, MAGIC);
    put_u32(head + 8, nth);
    put_u32(head + 12, (uint32_t)length);
    put_u32(head + 16, (uint32_t)clock);
    put_u32(head + 20, (uint32_t)(clock >> 32));
    put_u32(head, crc_of(crc_of(salt, head + 4, FRAME_SIZE - 4), data, length));
    memcpy(to, head, FRAME_SIZE);
    memcpy(to + FRAME_SIZE, data, (size_t)length);
}

/* store_frame(mapped, start, salt, nth, logged_at, body): the mapped memory must have the room. */
PyObject *
antinode_store_frame(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 6 || !PyBytes_CheckExact(args[5])) {
        PyErr_SetString(PyExc_TypeError, "give mapped, start, salt, nth, logged_at and body");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(args[1]);
    unsigned long salt = PyLong_AsUnsignedLong(args[2]);
    unsigned long nth = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLong(args[3]);
    double logged_at = PyErr_Occurred() ? 0 : PyFloat_AsDouble(args[4]);
    Py_buffer mapped;
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &mapped, PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    Py_ssize_t length = PyBytes_GET_SIZE(args[5]);
    if (start < 0 || length > mapped.len || start > mapped.len - FRAME_SIZE - length || length > (Py_ssize_t)UINT32_MAX) {
        PyBuffer_Release(&mapped);
        PyErr_SetString(PyExc_ValueError, "the frame does not fit there");
        return NULL;
    }
    antinode_put_frame((unsigned char *)mapped.buf + start, (uint32_t)salt, (uint32_t)nth, logged_at, args[5]);
    PyBuffer_Release(&mapped);
    Py_RETURN_NONE;
}
