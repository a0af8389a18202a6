/* SPDX-License-Identifier: Apache-2.0 */
/* Python's side of the compiled search: takes int64 arrays and checks them. */
#define PY_SSIZE_T_CLEAN
#include "../../csrc/python_abi.h"

#include "packcore.h"

enum {
    SIZE, ALIGN, PINNED, RANK, EDGE_START, EDGE_TO, EDGE_ABOVE, EDGE_BELOW, OFFSET, FIRST, LAST,
    LAST_OFFSET, EDGE_SHARED, MOST_SAVED, WEIGHT, ARRAYS
};

enum { FIT_ARRAYS = FIRST, NUMBERS = 5 };

/* Sums of all sizes, distances and alignments stay below this, so nothing overflows. */
#define GREATEST (INT64_C(1) << 58)

static const char *const array_names[ARRAYS] = {
    "size",       "align",      "pinned", "rank",  "edge_start", "edge_to",     "edge_above",
    "edge_below", "offset",     "first",  "last",  "last_offset", "edge_shared", "most_saved",
    "weight",
};

static bool take_array(PyObject *object, int index, Py_ssize_t items, Py_buffer *view)
{
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT;
    if (index == WEIGHT || index == OFFSET) {
        flags |= PyBUF_WRITABLE;
    }
    if (PyObject_GetBuffer(object, view, flags) != 0) {
        return false;
    }
    if (!holds_int64s(view, items)) {
        PyErr_Format(PyExc_ValueError, "%s: expected %zd 64-bit integers", array_names[index],
                     items);
        PyBuffer_Release(view);
        return false;
    }
    return true;
}

static bool in_range(const int64_t *values, int64_t count, int64_t low, int64_t high)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < count; i++) {
        ok = values[i] >= low && values[i] <= high;
    }
    return ok;
}

static bool sum_fits(const int64_t *values, int64_t count, int64_t *sum)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < count; i++) {
        ok = values[i] >= 0 && values[i] < GREATEST - *sum;
        *sum += ok ? values[i] : 0;
    }
    return ok;
}

static const char *mistake(const packcore_table *t, int64_t edges)
{
    int64_t sum = 0;
    bool ordered = t->edge_start[0] == 0 && t->edge_start[t->count] == edges;
    for (int64_t i = 0; ordered && i < t->count; i++) {
        ordered = t->edge_start[i] <= t->edge_start[i + 1];
    }
    if (!ordered || !in_range(t->edge_to, edges, 0, t->count - 1)) {
        return "edges are not a list per buffer";
    }
    if (!in_range(t->align, t->count, 1, GREATEST) || !sum_fits(t->align, t->count, &sum) ||
        !sum_fits(t->size, t->count, &sum)) {
        return "sizes or alignments out of range";
    }
    if (!in_range(t->edge_above, edges, 0, GREATEST / (t->count + 1)) ||
        !in_range(t->edge_below, edges, 0, GREATEST / (t->count + 1)) ||
        !in_range(t->pinned, t->count, -1, GREATEST) ||
        !in_range(t->rank, t->count, 0, GREATEST)) {
        return "distances, places or ranks out of range";
    }
    return t->capacity < 0 || t->capacity > GREATEST ? "capacity out of range" : NULL;
}

static const char *search_mistake(const packcore_table *t, int64_t edges)
{
    if (!in_range(t->first, t->count, 0, t->sections - 1) ||
        !in_range(t->last, t->count, 1, t->sections)) {
        return "live sections out of range";
    }
    for (int64_t i = 0; i < t->count; i++) {
        if (t->first[i] >= t->last[i]) {
            return "live sections are empty";
        }
    }
    if (!in_range(t->edge_shared, edges, 0, GREATEST / (edges + 1)) ||
        !in_range(t->last_offset, t->count, -GREATEST, GREATEST) ||
        !in_range(t->most_saved, t->sections, 0, GREATEST) ||
        !in_range(t->weight, t->sections, 1, INT64_C(1) << 40)) {
        return "limits or weights out of range";
    }
    return NULL;
}

static bool poll(void *data)
{
    PyObject *answer = NULL;
    int stop = 1;
    if (PyErr_CheckSignals() == 0) {
        answer = PyObject_CallNoArgs((PyObject *)data);
    }
    if (answer != NULL) {
        stop = PyObject_IsTrue(answer);
        Py_DECREF(answer);
    }
    return stop != 0;
}

/* Whether what is written to overlaps nothing that is read. */
static bool apart(const Py_buffer *views, int count)
{
    bool ok = true;
    for (int i = OFFSET; i < count; i += WEIGHT - OFFSET) {
        for (int j = 0; ok && j < count; j++) {
            uintptr_t one = (uintptr_t)views[i].buf, two = (uintptr_t)views[j].buf;
            ok = i == j || views[j].len == 0 || one + (uintptr_t)views[i].len <= two ||
                 two + (uintptr_t)views[j].len <= one;
        }
    }
    if (!ok) {
        PyErr_SetString(PyExc_ValueError, "weight and offset must be arrays of their own");
    }
    return ok;
}

typedef packcore_status solver(const packcore_table *table, int64_t *nodes, int64_t *over);

static PyObject *run(solver *solve, const packcore_table *table, int64_t edges)
{
    const char *wrong = mistake(table, edges);
    int64_t nodes, over;
    if (wrong == NULL && table->first != NULL) {
        wrong = search_mistake(table, edges);
    }
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    packcore_status status = solve(table, &nodes, &over);
    if (PyErr_Occurred() != NULL) {
        return NULL;
    }
    if (status == PACKCORE_NO_MEMORY) {
        return PyErr_NoMemory();
    }
    return Py_BuildValue("iLL", (int)status, (long long)nodes, (long long)over);
}

static bool take_numbers(PyObject *arguments, int64_t numbers[NUMBERS])
{
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = PyLong_AsLongLong(PyTuple_GetItem(arguments, i));
        if (numbers[i] == -1 && PyErr_Occurred() != NULL) {
            return false;
        }
    }
    if (numbers[0] < 1 || numbers[1] < 1 || numbers[0] > INT32_MAX || numbers[1] > INT32_MAX ||
        numbers[3] < 0 || numbers[3] >= INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "count, sections or rule out of range");
        return false;
    }
    return true;
}

static Py_ssize_t items_of(int array, const int64_t numbers[NUMBERS], Py_ssize_t edges)
{
    Py_ssize_t count = (Py_ssize_t)numbers[0], items = count;
    if (array == EDGE_START) {
        items = count + 1;
    } else if ((array >= EDGE_TO && array <= EDGE_BELOW) || array == EDGE_SHARED) {
        items = edges;
    } else if (array == MOST_SAVED || array == WEIGHT) {
        items = (Py_ssize_t)numbers[1];
    }
    return items;
}

/* Takes five numbers, so many arrays, and what is asked whether to stop. */
static PyObject *call(solver *solve, PyObject *arguments, int count)
{
    int64_t n[NUMBERS];
    Py_buffer v[ARRAYS];
    PyObject *result = NULL;
    int taken = 0;
    if (PyTuple_Size(arguments) != NUMBERS + count + 1) {
        PyErr_Format(PyExc_TypeError, "takes %d arguments", NUMBERS + count + 1);
        return NULL;
    }
    if (!take_numbers(arguments, n)) {
        return NULL;
    }
    Py_ssize_t edges = PyObject_Length(PyTuple_GetItem(arguments, NUMBERS + EDGE_TO));
    for (bool ok = edges >= 0; ok && taken < count; taken += ok ? 1 : 0) {
        PyObject *array = PyTuple_GetItem(arguments, NUMBERS + taken);
        ok = take_array(array, taken, items_of(taken, n, edges), &v[taken]);
    }
    if (taken == count && apart(v, count)) {
        packcore_table table = {
            .count = n[0], .sections = n[1], .capacity = n[2], .rule = n[3], .node_limit = n[4],
            .size = v[SIZE].buf, .align = v[ALIGN].buf, .pinned = v[PINNED].buf,
            .rank = v[RANK].buf, .edge_start = v[EDGE_START].buf, .edge_to = v[EDGE_TO].buf,
            .edge_above = v[EDGE_ABOVE].buf, .edge_below = v[EDGE_BELOW].buf,
            .offset = v[OFFSET].buf, .poll = poll,
            .poll_data = PyTuple_GetItem(arguments, NUMBERS + count),
        };
        if (count == ARRAYS) {
            table.first = v[FIRST].buf;
            table.last = v[LAST].buf;
            table.last_offset = v[LAST_OFFSET].buf;
            table.edge_shared = v[EDGE_SHARED].buf;
            table.most_saved = v[MOST_SAVED].buf;
            table.weight = v[WEIGHT].buf;
        }
        result = run(solve, &table, (int64_t)edges);
    }
    while (taken > 0) {
        PyBuffer_Release(&v[--taken]);
    }
    return result;
}

static PyObject *search(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_search, arguments, ARRAYS);
}

static PyObject *first_fit(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_first_fit, arguments, FIT_ARRAYS);
}

static PyObject *best_fit(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_best_fit, arguments, FIT_ARRAYS);
}

static PyObject *climb(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_climb, arguments, FIT_ARRAYS);
}

static PyObject *squeaky_wheel(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_squeaky_wheel, arguments, FIT_ARRAYS);
}

static PyObject *eject(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call(packcore_eject, arguments, FIT_ARRAYS);
}

#define FITS "(count, 1, capacity, rule, rounds, size, align, pinned, rank, edge_start, edge_to, " \
             "edge_above, edge_below, offset, poll) -> (status, rounds, top)"

static PyMethodDef methods[] = {
    {"search", search, METH_VARARGS,
     "(count, sections, capacity, rule, node_limit, size, align, pinned, rank, edge_start, "
     "edge_to, edge_above, edge_below, offset, first, last, last_offset, edge_shared, most_saved, "
     "weight, poll) -> (status, nodes, over)"},
    {"first_fit", first_fit, METH_VARARGS, FITS},
    {"best_fit", best_fit, METH_VARARGS, FITS},
    {"climb", climb, METH_VARARGS, FITS},
    {"squeaky_wheel", squeaky_wheel, METH_VARARGS, FITS},
    {"eject", eject, METH_VARARGS, FITS},
    {NULL, NULL, 0, NULL},
};

/* Grows with every change of arguments or results; the Python side asks for it. */
#define INTERFACE 5

static int add_constants(PyObject *module)
{
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)add_constants}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_packcore",
    "The arena packer.",
    0,
    methods,
    slots,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__packcore(void)
{
    return PyModuleDef_Init(&definition);
}
