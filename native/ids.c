#include "ids.h"

/* Each text lies behind its length; this ends the list. */
#define END 255

/* As str.strip has it, for ASCII. */
static inline int
is_space(unsigned char letter)
{
    return letter == ' ' || (letter >= '\t' && letter <= '\r') || (letter >= 0x1c && letter <= 0x1f);
}

static inline unsigned char
lower(unsigned char letter)
{
    return letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter;
}

unsigned char *
antinode_list_ids(PyObject *texts)
{
    PyObject *all = PySequence_Tuple(texts);
    if (all == NULL) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(all);
    unsigned char *list = PyMem_Malloc((size_t)count * END + 1), *to = list;
    if (list == NULL) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t at = 0; list != NULL && at < count; at++) {
        PyObject *text = PyTuple_GET_ITEM(all, at);
        if (!PyUnicode_Check(text) || !PyUnicode_IS_COMPACT_ASCII(text) || PyUnicode_GET_LENGTH(text) >= END) {
            PyErr_SetString(PyExc_TypeError, "an id that is refused is no short ASCII text");
            PyMem_Free(list);
            list = NULL;
            break;
        }
        size_t size = (size_t)PyUnicode_GET_LENGTH(text);
        *to++ = (unsigned char)size;
        memcpy(to, PyUnicode_1BYTE_DATA(text), size);
        to += size;
    }
    Py_DECREF(all);
    if (list != NULL) {
        *to = END;
    }
    return list;
}

int
antinode_is_good_id(PyObject *value, Py_ssize_t min_length, const unsigned char *invalid)
{
    if (!PyUnicode_IS_COMPACT_ASCII(value)) {
        return -1;
    }
    const unsigned char *text = PyUnicode_1BYTE_DATA(value);
    Py_ssize_t size = PyUnicode_GET_LENGTH(value);
    if (size < min_length) {
        return 0;
    }
    while (size && is_space(text[size - 1])) {
        size--;
    }
    while (size && is_space(*text)) {
        text++;
        size--;
    }
    for (; *invalid != END; invalid += 1 + *invalid) {
        if (*invalid == size) {
            Py_ssize_t at = 0;
            while (at < size && lower(text[at]) == invalid[1 + at]) {
                at++;
            }
            if (at == size) {
                return 0;
            }
        }
    }
    return 1;
}
