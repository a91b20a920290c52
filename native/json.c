#include "json.h"
#include "inert.h"
#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

int
antinode_grow(Writer *writer, Py_ssize_t size)
{
    size_t used = (size_t)(writer->to - writer->start);
    size_t wanted = 2 * used + (size_t)size + 1024;
    char *start = PyMem_Realloc(writer->start, wanted);
    if (start == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    writer->start = start;
    writer->to = start + used;
    writer->end = start + wanted;
    return 0;
}

void
antinode_put_number(Writer *writer, unsigned long long number)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
        "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
        "9899";
    char digits[20];
    int at = 20;
    for (; number >= 100; number /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (number % 100), 2);
    }
    if (number >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * number, 2);
    }
    else {
        digits[--at] = (char)('0' + number);
    }
    antinode_put(writer, digits + at, 20 - at);
}

/* Whether one of eight bytes is a control character, a quote or a backslash. */
static inline int
has_special(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t quotes = bytes ^ (ones * '"'), slashes = bytes ^ (ones * '\\');
    return (((bytes - ones * 0x20) & ~bytes) | ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) & tops
        ? 1 : 0;
}

static inline int
is_special(unsigned char byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\';
}

/* What a string holds, of which some bytes may have to be escaped. There is room for six bytes each. */
static char *
put_escaped(char *to, const char *text, Py_ssize_t size)
{
    static const char hex[] = "0123456789abcdef";
    for (const char *end = text + size; text < end; text++) {
        unsigned char byte = (unsigned char)*text;
        if (!is_special(byte)) {
            *to++ = *text;
            continue;
        }
        *to++ = '\\';
        switch (byte) {
        case '"': case '\\': *to++ = *text; break;
        case '\b': *to++ = 'b'; break;
        case '\t': *to++ = 't'; break;
        case '\n': *to++ = 'n'; break;
        case '\f': *to++ = 'f'; break;
        case '\r': *to++ = 'r'; break;
        default:
            memcpy(to, "u00", 3);
            to[3] = hex[byte >> 4];
            to[4] = hex[byte & 15];
            to += 5;
        }
    }
    return to;
}

/* Copy eight bytes; whether none needs escaping. */
static inline int
put_eight(char *to, const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, 8);
    memcpy(to, &bytes, 8);
    return !has_special(bytes);
}

#ifdef __SSE2__
/* The same of sixteen. */
static inline int
put_sixteen(char *to, const char *text)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)text);
    _mm_storeu_si128((__m128i *)to, bytes);
    __m128i is_control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i is_quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i is_slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return _mm_movemask_epi8(_mm_or_si128(is_control, _mm_or_si128(is_quote, is_slash))) == 0;
}
#else
static inline int
put_sixteen(char *to, const char *text)
{
    return put_eight(to, text) & put_eight(to + 8, text + 8);
}
#endif

/* Copy text up to a part that needs escaping: whether all of it was copied. */
static inline int
put_plain(char *to, const char *text, Py_ssize_t size)
{
    if (size >= 16) {
        for (Py_ssize_t at = 0; at + 16 <= size; at += 16) {
            if (!put_sixteen(to + at, text + at)) {
                return 0;
            }
        }
        /* The last bytes, some of them once more. */
        return put_sixteen(to + size - 16, text + size - 16);
    }
    if (size >= 8) {
        return put_eight(to, text) && put_eight(to + size - 8, text + size - 8);
    }
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
        return !has_special(first | (uint64_t)last << 32);
    }
    for (Py_ssize_t at = 0; at < size; at++) {
        if (is_special((unsigned char)text[at])) {
            return 0;
        }
        to[at] = text[at];
    }
    return 1;
}

/* 1, or LEAVE. */
static inline int
write_text(Writer *writer, PyObject *value)
{
    const char *text;
    Py_ssize_t size;
    if (PyUnicode_IS_COMPACT_ASCII(value)) {
        text = (const char *)PyUnicode_1BYTE_DATA(value);
        size = PyUnicode_GET_LENGTH(value);
    }
    else if ((text = PyUnicode_AsUTF8AndSize(value, &size)) == NULL) {
        return LEAVE;
    }
    if (size > writer->max_string || antinode_room(writer, size) < 0) {
        return LEAVE;
    }
    *writer->to++ = '"';
    if (put_plain(writer->to, text, size)) {
        writer->to += size;
    }
    else {
        if (antinode_room(writer, 6 * size) < 0) {
            return LEAVE;
        }
        char *end = put_escaped(writer->to, text, size);
        if (end - writer->to > writer->max_string) {
            return LEAVE;
        }
        writer->to = end;
    }
    *writer->to++ = '"';
    return 1;
}

static inline int
write_int(Writer *writer, PyObject *value)
{
    int is_beyond;
    long long number = antinode_int64(value, &is_beyond);
    unsigned long long magnitude = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;
    if (is_beyond) {
        magnitude = PyLong_AsUnsignedLongLong(value);
        if (magnitude == (unsigned long long)-1 && PyErr_Occurred()) {
            return LEAVE;
        }
    }
    else if (number < 0) {
        *writer->to++ = '-';
    }
    antinode_put_number(writer, magnitude);
    return 1;
}

/* A number that is written with few digits: whether it is one. Of two decimals of up to 15 digits that differ, no two are
   the same float, so that one which is this float is its shortest text, once zeros at its end are gone. */
static inline int
put_short_float(Writer *writer, double number)
{
    static const struct {
        double power;
        int places;
    } tries[] = {{1, 0}, {100, 2}, {1000000, 6}};
    double size = fabs(number);
    if (!(size < 1e9) || (size < 1e-3 && (size != 0 || signbit(number)))) {
        return 0;
    }
    for (size_t which = 0; which < sizeof tries / sizeof *tries; which++) {
        unsigned long long digits = (unsigned long long)(size * tries[which].power + 0.5);
        if ((double)digits / tries[which].power != size) {
            continue;
        }
        int places = tries[which].places;
        while (places > 1 && digits % 10 == 0) {
            digits /= 10;
            places--;
        }
        unsigned long long power = 1;
        for (int place = 0; place < places; place++) {
            power *= 10;
        }
        if (number < 0) {
            *writer->to++ = '-';
        }
        antinode_put_number(writer, digits / power);
        *writer->to++ = '.';
        unsigned long long rest = digits % power;
        for (power /= 10; power > rest && power > 1; power /= 10) {
            *writer->to++ = '0';
        }
        antinode_put_number(writer, rest);
        return 1;
    }
    return 0;
}

/* A value without others in it, as Python's encoder has it. */
static int
write_by_python(Writer *writer, PyObject *value)
{
    JsonSize reserved = {.total = 64};
    if (antinode_reserve(&reserved) < 0) {
        return LEAVE;
    }
    PyObject *text = PyObject_CallOneArg(writer->dumps, value);
    if (text == NULL || !PyBytes_CheckExact(text)) {
        Py_XDECREF(text);
        return LEAVE;
    }
    Py_ssize_t size = PyBytes_GET_SIZE(text);
    int is_written = size <= writer->max_string && antinode_room(writer, size) == 0;
    if (is_written) {
        antinode_put(writer, PyBytes_AS_STRING(text), size);
    }
    Py_DECREF(text);
    return is_written ? 1 : LEAVE;
}

static int
write_dict(Writer *writer, PyObject *value, Py_ssize_t layers)
{
    Py_ssize_t position = 0;
    PyObject *key, *each;
    int written = 1;
    *writer->to++ = '{';
    if (PyDict_GET_SIZE(value) == 0) {
        *writer->to++ = '}';
        return 1;
    }
    if ((writer->properties += PyDict_GET_SIZE(value)) > writer->max_properties) {
        return LEAVE;
    }
    while (PyDict_Next(value, &position, &key, &each)) {
        if (!PyUnicode_CheckExact(key)) {
            return NOT_INERT;
        }
        if (write_text(writer, key) < 0) {
            return LEAVE;
        }
        *writer->to++ = ':';
        written = PyUnicode_CheckExact(each) ? write_text(writer, each) : antinode_write(writer, each, layers);
        if (written <= 0) {
            return written;
        }
        *writer->to++ = ',';
    }
    writer->to[-1] = '}';
    return 1;
}

int
antinode_write_both(Writer *writer, PyObject *own, PyObject *outer, Py_ssize_t layers)
{
    int written = layers == 0 ? LEAVE : write_dict(writer, own, layers - 1);
    if (written <= 0) {
        return written;
    }
    Py_ssize_t position = 0;
    PyObject *key, *each;
    int has_more = PyDict_GET_SIZE(own) > 0;
    while (PyDict_Next(outer, &position, &key, &each)) {
        if (!PyUnicode_CheckExact(key)) {
            return NOT_INERT;
        }
        /* The keys of `own`, which were looked at, are plain texts as well: no code runs. */
        if (PyDict_GetItemWithError(own, key) != NULL) {
            continue;
        }
        if (PyErr_Occurred() || ++writer->properties > writer->max_properties || antinode_room(writer, 0) < 0) {
            return LEAVE;
        }
        if (has_more) {
            writer->to[-1] = ',';
        }
        else {
            writer->to--;
        }
        has_more = 1;
        if (write_text(writer, key) < 0) {
            return LEAVE;
        }
        *writer->to++ = ':';
        if ((written = antinode_write(writer, each, layers - 1)) <= 0) {
            return written;
        }
        *writer->to++ = '}';
    }
    return 1;
}

static int
write_list(Writer *writer, PyObject *value, Py_ssize_t layers)
{
    *writer->to++ = '[';
    if (PySequence_Fast_GET_SIZE(value) == 0) {
        *writer->to++ = ']';
        return 1;
    }
    for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(value); at++) {
        int written = antinode_write(writer, PySequence_Fast_GET_ITEM(value, at), layers);
        if (written <= 0) {
            return written;
        }
        *writer->to++ = ',';
    }
    writer->to[-1] = ']';
    return 1;
}

int
antinode_write(Writer *writer, PyObject *value, Py_ssize_t layers)
{
    PyTypeObject *type = Py_TYPE(value);
    if (antinode_room(writer, 0) < 0) {
        return LEAVE;
    }
    if (type == &PyUnicode_Type) {
        return write_text(writer, value);
    }
    if (type == &PyLong_Type) {
        return write_int(writer, value);
    }
    if (type == &PyFloat_Type) {
        return put_short_float(writer, PyFloat_AS_DOUBLE(value)) || write_by_python(writer, value) > 0 ? 1 : LEAVE;
    }
    if (value == Py_True) {
        antinode_put(writer, "true", 4);
        return 1;
    }
    if (value == Py_False) {
        antinode_put(writer, "false", 5);
        return 1;
    }
    if (value == Py_None) {
        antinode_put(writer, "null", 4);
        return 1;
    }
    if (type == &PyDict_Type || type == &PyList_Type || type == &PyTuple_Type) {
        return layers == 0 ? LEAVE
            : type == &PyDict_Type ? write_dict(writer, value, layers - 1) : write_list(writer, value, layers - 1);
    }
    return writer->is_copy || antinode_is_leaf(value, writer->uuid_type) ? write_by_python(writer, value) : NOT_INERT;
}
