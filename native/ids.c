#include "ids.h"

struct IdList {
    unsigned long long sizes;   /* bit n: there is a text of n letters, or of as many modulo 64 */
    unsigned char texts[];      /* each behind its length */
};

#define END 255                 /* instead of a length: there are no more */

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

IdList *
antinode_list_ids(PyObject *texts)
{
    PyObject *all = PySequence_Tuple(texts);
    if (all == NULL) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(all);
    IdList *list = PyMem_Malloc(sizeof *list + (size_t)count * END + 1);
    if (list == NULL) {
        PyErr_NoMemory();
        Py_DECREF(all);
        return NULL;
    }
    unsigned char *to = list->texts;
    list->sizes = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *text = PyTuple_GET_ITEM(all, at);
        if (!PyUnicode_Check(text) || !PyUnicode_IS_COMPACT_ASCII(text) || PyUnicode_GET_LENGTH(text) >= END) {
            PyErr_SetString(PyExc_TypeError, "an id that is refused is no short ASCII text");
            PyMem_Free(list);
            Py_DECREF(all);
            return NULL;
        }
        size_t size = (size_t)PyUnicode_GET_LENGTH(text);
        list->sizes |= 1ULL << (size % 64);
        *to++ = (unsigned char)size;
        memcpy(to, PyUnicode_1BYTE_DATA(text), size);
        to += size;
    }
    Py_DECREF(all);
    *to = END;
    return list;
}

int
antinode_is_good_id(PyObject *value, Py_ssize_t min_length, const IdList *refused)
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
    if (!((refused->sizes >> (size % 64)) & 1)) {
        return 1;
    }
    for (const unsigned char *invalid = refused->texts; *invalid != END; invalid += 1 + *invalid) {
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
