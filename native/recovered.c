/* Records are made of what was read back from a store: `plain_records` of antinode/_delivery/core/recovered.py. Of a body that
   is plainly one JSON object with text ids, it makes what the Python code makes; whatever is unusual is left to that. */

#include "slots.h"

#define MAX_LAYERS 254        /* of objects and arrays, as in antinode/_protocol/nesting.py */
#define LONGEST_NUMBER 40     /* in digits; longer ones may be out of somebody's range */
#define STREAM_MASK (((uint64_t)1 << 60) - 1)

enum { USER, DEVICE, IDS };

/* A text of JSON, or NULL. */
typedef struct {
    const unsigned char *start, *end;
    int is_null, is_text;
} Id;

#define EACH_BYTE(byte) (0x0101010101010101u * (byte))

/* Whether one of eight bytes ends a stretch of plain letters: a quote, a backslash, a control character, or no ASCII. */
static inline int
has_special(uint64_t eight)
{
    const uint64_t ones = EACH_BYTE(1u), highs = EACH_BYTE(0x80u);
    uint64_t quotes = eight ^ EACH_BYTE('"'), backslashes = eight ^ EACH_BYTE('\\');
    return ((((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes) | ((eight - EACH_BYTE(0x20u)) & ~eight) | eight)
            & highs) != 0;
}

#define SHORT 16              /* texts of so many letters are looked at one by one */
#define O 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1

/* The letters of a row of sixteen that are none of these. What stands behind the last one of every bytes object is. */
static const unsigned char is_ordinary[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, O, O,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, O, O,
};

static inline int
is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* How many bytes the letter has that begins here, which is not ASCII; 0 if it is no UTF-8. */
static int
letter_size(const unsigned char *at, const unsigned char *end)
{
    Py_ssize_t left = end - at;
    if (at[0] >= 0xC2 && at[0] <= 0xDF) {
        return left >= 2 && is_continuation(at[1]) ? 2 : 0;
    }
    if (at[0] >= 0xE0 && at[0] <= 0xEF) {
        int is_short = at[0] == 0xE0 && left >= 2 && at[1] < 0xA0, is_surrogate = at[0] == 0xED && left >= 2 && at[1] > 0x9F;
        return left >= 3 && is_continuation(at[1]) && is_continuation(at[2]) && !is_short && !is_surrogate ? 3 : 0;
    }
    if (at[0] >= 0xF0 && at[0] <= 0xF4) {
        int is_short = at[0] == 0xF0 && left >= 2 && at[1] < 0x90, is_beyond = at[0] == 0xF4 && left >= 2 && at[1] > 0x8F;
        return left >= 4 && is_continuation(at[1]) && is_continuation(at[2]) && is_continuation(at[3]) && !is_short && !is_beyond
            ? 4 : 0;
    }
    return 0;
}

/* The closing quote of the string whose first letter is here; NULL if it is not plain. Escapes are, but for those of numbers
   beyond ASCII, which may be halves of a letter. */
static const unsigned char *
closing_quote(const unsigned char *at, const unsigned char *end, int *has_escapes)
{
    for (;;) {
        /* Most are short. */
        for (const unsigned char *soon = at + SHORT; at < soon && is_ordinary[*at]; at++) {
        }
        uint64_t eight;
        while (is_ordinary[*at] && end - at >= 8 && (memcpy(&eight, at, 8), !has_special(eight))) {
            at += 8;
        }
        while (is_ordinary[*at]) {
            at++;
        }
        if (at >= end || *at < 0x20) {
            return NULL;
        }
        if (*at == '"') {
            return at;
        }
        if (*at == '\\') {
            *has_escapes = 1;
            if (end - at >= 2 && at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL) {
                at += 2;
                continue;
            }
            if (end - at >= 6 && memcmp(at, "\\u00", 4) == 0 && Py_ISXDIGIT(at[4]) && Py_ISXDIGIT(at[5])) {
                at += 6;
                continue;
            }
            return NULL;
        }
        int size = letter_size(at, end);
        if (size == 0) {
            return NULL;
        }
        at += size;
    }
}

static const unsigned char *
digits(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *start = at;
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at == start ? NULL : at;
}

/* The place behind a number without an exponent; NULL if there is none that is plain. */
static const unsigned char *
behind_number(const unsigned char *at, const unsigned char *end)
{
    const unsigned char *start = at;
    at += at < end && *at == '-';
    const unsigned char *first = at;
    if ((at = digits(at, end)) == NULL || (*first == '0' && at > first + 1)) {
        return NULL;
    }
    if (at < end && *at == '.' && (at = digits(at + 1, end)) == NULL) {
        return NULL;
    }
    return at - start > LONGEST_NUMBER ? NULL : at;
}

/* The place behind a string, number or word; NULL if it is not plain. */
static const unsigned char *
behind_leaf(const unsigned char *at, const unsigned char *end, Id *id)
{
    static const char *const words[] = {"null", "true", "false"};
    if (*at == '"') {
        int has_escapes = 0;
        const unsigned char *close = closing_quote(at + 1, end, &has_escapes);
        if (close == NULL) {
            return NULL;
        }
        if (id != NULL) {
            if (has_escapes) {
                return NULL;
            }
            *id = (Id){.start = at + 1, .end = close, .is_text = 1};
        }
        return close + 1;
    }
    for (int word = 0; word < 3; word++) {
        size_t size = strlen(words[word]);
        if ((size_t)(end - at) >= size && memcmp(at, words[word], size) == 0) {
            if (id != NULL) {
                if (word) {
                    return NULL;
                }
                id->is_null = 1;
            }
            return at + size;
        }
    }
    return id != NULL ? NULL : behind_number(at, end);
}

/* Which id the key is, if it is one; -1 if not, -2 if it may be one that is written in another way. */
static int
id_named(const unsigned char *key, const unsigned char *close, int has_escapes)
{
    if (has_escapes) {
        return -2;
    }
    if (close - key == 7 && memcmp(key, "user_id", 7) == 0) {
        return USER;
    }
    return close - key == 9 && memcmp(key, "device_id", 9) == 0 ? DEVICE : -1;
}

/* The place behind a key and its colon, and in `*id` where to put the value if it is an id; NULL if it is not plain. */
static const unsigned char *
behind_key(const unsigned char *at, const unsigned char *end, int is_outermost, Id *ids, Id **id)
{
    int has_escapes = 0;
    const unsigned char *close = at < end && *at == '"' ? closing_quote(at + 1, end, &has_escapes) : NULL;
    if (close == NULL || end - close < 3 || close[1] != ':') {
        return NULL;
    }
    *id = NULL;
    if (is_outermost) {
        int which = id_named(at + 1, close, has_escapes);
        if (which == -2 || (which >= 0 && (ids[which].is_null || ids[which].is_text))) {
            return NULL;
        }
        *id = which >= 0 ? &ids[which] : NULL;
    }
    return close + 2;
}

/* Whether the text is plainly one object of JSON, without spaces between its parts, and its ids are texts or null. */
static int
is_plain(const unsigned char *at, const unsigned char *end, Id *ids)
{
    char closes[MAX_LAYERS];      /* what ends each layer */
    int layers = 0;
    Id *id = NULL;
    if (at >= end || *at != '{') {
        return 0;
    }
    for (;;) {
        /* A value. */
        if (at >= end) {
            return 0;
        }
        if (*at == '{' || *at == '[') {
            if (layers == MAX_LAYERS || id != NULL) {
                return 0;
            }
            closes[layers++] = *at == '{' ? '}' : ']';
            at++;
            if (at >= end) {
                return 0;
            }
            if (*at != closes[layers - 1]) {
                if (closes[layers - 1] == '}' && (at = behind_key(at, end, layers == 1, ids, &id)) == NULL) {
                    return 0;
                }
                continue;
            }
        }
        else if ((at = behind_leaf(at, end, id)) == NULL) {
            return 0;
        }
        id = NULL;
        /* What follows it. */
        while (at < end && *at == closes[layers - 1]) {
            at++;
            if (--layers == 0) {
                return at == end;
            }
        }
        if (at >= end || *at != ',') {
            return 0;
        }
        at++;
        if (closes[layers - 1] == '}' && (at = behind_key(at, end, layers == 1, ids, &id)) == NULL) {
            return 0;
        }
    }
}

static PyObject *
text_of(const Id *id)
{
    return id->is_text ? PyUnicode_DecodeUTF8((const char *)id->start, id->end - id->start, NULL) : Py_NewRef(Py_None);
}

/* `_protocol.ids.stream_of`. */
static PyObject *
stream_of(const Id *ids)
{
    PyObject *user = text_of(&ids[USER]), *device = user == NULL ? NULL : text_of(&ids[DEVICE]);
    PyObject *pair = device == NULL ? NULL : PyTuple_Pack(2, user, device);
    Py_hash_t hash = pair == NULL ? -1 : PyObject_Hash(pair);
    Py_XDECREF(user);
    Py_XDECREF(device);
    Py_XDECREF(pair);
    return hash == -1 ? NULL : PyLong_FromUnsignedLongLong((uint64_t)hash & STREAM_MASK);
}

/* Whether the item is plain, and a record of it: 1, 0, or -1 with an error set. */
static int
record_of(PyObject *item, PyObject *type, PyObject *names, PyObject **record)
{
    Id ids[IDS] = {{0}};
    PyObject *fields[4] = {NULL};      /* body, stream, logged_at, place */
    int found = -1;
    if ((fields[0] = PyObject_GetAttr(item, PyTuple_GET_ITEM(names, 0))) != NULL
        && (fields[2] = PyObject_GetAttr(item, PyTuple_GET_ITEM(names, 1))) != NULL
        && (fields[3] = PyObject_GetAttr(item, PyTuple_GET_ITEM(names, 2))) != NULL) {
        found = PyBytes_CheckExact(fields[0]) && PyFloat_CheckExact(fields[2]) && PyLong_CheckExact(fields[3]);
    }
    if (found == 1) {
        const unsigned char *text = (const unsigned char *)PyBytes_AS_STRING(fields[0]);
        found = is_plain(text, text + PyBytes_GET_SIZE(fields[0]), ids);
    }
    if (found == 1
        && ((fields[1] = stream_of(ids)) == NULL
            || (*record = PyObject_Vectorcall(type, fields, 3, PyTuple_GET_ITEM(names, 3))) == NULL)) {
        found = -1;
    }
    for (int field = 0; field < 4; field++) {
        Py_XDECREF(fields[field]);
    }
    return found;
}

/* The same into the lists: 0, or -1 with an error set. */
static int
add_record_of(PyObject *item, PyObject *type, PyObject *names, PyObject *records, PyObject *unsure)
{
    PyObject *record = NULL, *position = NULL;
    int found = record_of(item, type, names, &record);
    if (found == 0) {
        position = PyLong_FromSsize_t(PyList_GET_SIZE(records));
        found = position == NULL ? -1 : PyList_Append(unsure, position);
        record = Py_NewRef(Py_None);
    }
    if (found >= 0) {
        found = PyList_Append(records, record);
    }
    Py_XDECREF(record);
    Py_XDECREF(position);
    return found;
}

/* plain_records(items, type) */
PyObject *
antinode_plain_records(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "give a list of items, and the type of records");
        return NULL;
    }
    PyObject *items = args[0], *records = PyList_New(0), *unsure = PyList_New(0), *both = NULL;
    PyObject *names = Py_BuildValue("sss(s)", "body", "logged_at", "place", "place");
    if (records == NULL || unsure == NULL || names == NULL) {
        goto end;
    }
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(items); at++) {
        PyObject *item = Py_NewRef(PyList_GET_ITEM(items, at));
        int failed = add_record_of(item, args[1], names, records, unsure) < 0;
        Py_DECREF(item);
        if (failed) {
            goto end;
        }
    }
    both = PyTuple_Pack(2, records, unsure);
end:
    Py_XDECREF(records);
    Py_XDECREF(unsure);
    Py_XDECREF(names);
    return both;
}
