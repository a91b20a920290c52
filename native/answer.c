/* An answer of HTTP that is whole and has nothing unusual about it, which nearly all are: what read_answer in
   antinode/_delivery/http/answers.py makes of it. Everything else is left to that. */

#include "slots.h"

#define MOST_HEADERS 100
#define MOST_DIGITS 7      /* of a length; the largest is below the limit of a body */
#define LARGEST_BODY (1 << 20)

typedef struct {
    const char *at, *end;
} Text;

static int
is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* The status, or -1. `at` moves behind the line. */
static int
take_status(Text *text)
{
    const char *at = text->at;
    static const char beginning[] = "HTTP/1.1 ";
    size_t size = sizeof beginning - 1;
    if (text->end - at < (Py_ssize_t)size + 4 || memcmp(at, beginning, size) != 0) {
        return -1;
    }
    at += size;
    if (at[0] < '2' || !is_digit(at[0]) || !is_digit(at[1]) || !is_digit(at[2]) || (at[3] != ' ' && at[3] != '\r')) {
        return -1;
    }
    int status = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    for (at += 3; at < text->end && *at >= ' ' && *at < 127; at++) {
    }
    if (text->end - at < 2 || at[0] != '\r' || at[1] != '\n' || status == 204 || status == 304) {
        return -1;
    }
    text->at = at + 2;
    return status;
}

static int
is_same(const Text *found, const char *lower)
{
    size_t size = strlen(lower);
    if ((size_t)(found->end - found->at) != size) {
        return 0;
    }
    for (size_t at = 0; at < size; at++) {
        char letter = found->at[at];
        if ((letter >= 'A' && letter <= 'Z' ? letter + 32 : letter) != lower[at]) {
            return 0;
        }
    }
    return 1;
}

/* The next header: 1; 0 at the end of the head, behind which `at` is then; -1 for what is unusual. */
static int
take_header(Text *text, Text *name, Text *value)
{
    const char *at = text->at, *end = text->end;
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') {
        text->at = at + 2;
        return 0;
    }
    for (name->at = at; at < end && *at > ' ' && *at < 127 && *at != ':'; at++) {
    }
    name->end = at;
    if (at == name->at || at == end || *at != ':') {
        return -1;
    }
    for (at++; at < end && (*at == ' ' || *at == '\t'); at++) {
    }
    for (value->at = at; at < end && ((*at >= ' ' && *at < 127) || *at == '\t'); at++) {
    }
    value->end = at;
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
        return -1;
    }
    while (value->end > value->at && (value->end[-1] == ' ' || value->end[-1] == '\t')) {
        value->end--;
    }
    text->at = at + 2;
    return 1;
}

/* The length that a header gives; -1 for what is unusual. */
static Py_ssize_t
length_of(const Text *value)
{
    Py_ssize_t length = 0;
    if (value->at == value->end || value->end - value->at > MOST_DIGITS) {
        return -1;
    }
    for (const char *at = value->at; at < value->end; at++) {
        if (!is_digit(*at)) {
            return -1;
        }
        length = length * 10 + (*at - '0');
    }
    return length <= LARGEST_BODY ? length : -1;
}

/* As text, which is ASCII; NULL with an error set. */
static PyObject *
text_of(const Text *found, int is_lower)
{
    Py_ssize_t size = found->end - found->at;
    PyObject *made = PyUnicode_New(size, 127);
    if (made == NULL) {
        return NULL;
    }
    char *to = (char *)PyUnicode_1BYTE_DATA(made);
    for (Py_ssize_t at = 0; at < size; at++) {
        char letter = found->at[at];
        to[at] = is_lower && letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
    }
    return made;
}

/* Keep a header: 1; 0 if there is one of its name; -1 with an error set. */
static int
keep(PyObject *headers, const Text *name, const Text *value)
{
    PyObject *key = text_of(name, 1), *item = key == NULL ? NULL : text_of(value, 0);
    Py_ssize_t before = PyDict_GET_SIZE(headers);
    int failed = item == NULL || PyDict_SetItem(headers, key, item) < 0;
    Py_XDECREF(key);
    Py_XDECREF(item);
    return failed ? -1 : PyDict_GET_SIZE(headers) > before;
}

/* Read the headers; 1 if all is ordinary, with the body's length; 0 if not; -1 with an error set. */
static int
take_headers(Text *text, PyObject *headers, Py_ssize_t *length)
{
    Text name, value;
    int found, count = 0;
    while ((found = take_header(text, &name, &value)) > 0) {
        if (is_same(&name, "content-length")) {
            *length = length_of(&value);
        }
        else if (is_same(&name, "transfer-encoding") || (is_same(&name, "connection") && !is_same(&value, "keep-alive"))) {
            return 0;
        }
        int kept = ++count > MOST_HEADERS ? 0 : keep(headers, &name, &value);
        if (kept <= 0) {
            return kept;
        }
    }
    return found == 0;
}

/* plain_answer(data): status, headers and body; or None. */
PyObject *
antinode_plain_answer(PyObject *Py_UNUSED(module), PyObject *data)
{
    if (!PyBytes_CheckExact(data)) {
        Py_RETURN_NONE;
    }
    Text text = {PyBytes_AS_STRING(data), PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(data)};
    int status = take_status(&text);
    if (status < 0) {
        Py_RETURN_NONE;
    }
    PyObject *headers = PyDict_New();
    Py_ssize_t length = -1;
    int is_plain = headers == NULL ? -1 : take_headers(&text, headers, &length);
    PyObject *answer = NULL;
    if (is_plain == 0 || (is_plain > 0 && (length < 0 || length != text.end - text.at))) {
        answer = Py_NewRef(Py_None);
    }
    else if (is_plain > 0) {
        answer = Py_BuildValue("iOy#", status, headers, text.at, length);
    }
    Py_XDECREF(headers);
    return answer;
}
