/* SPDX-License-Identifier: Apache-2.0 */
/* Python's side of the compiled search: takes int64 arrays and checks them. */
#define PY_SSIZE_T_CLEAN
#include "../../csrc/python_abi.h"

#include "rowcore.h"

enum { ARRAYS = 30, SIZES = 10, TASK = 6 };

/* Bytes and counts stay below this, so that sums do not overflow. */
#define GREATEST (INT64_C(1) << 40)

/* What the entries of an array are, and so what they may be. */
typedef struct {
    const char *name;
    int64_t items, low, high; /* high: exclusive */
} kind;

static bool take_array(PyObject *object, const kind *what, Py_buffer *view)
{
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
        return false;
    }
    bool ok = holds_int64s(view, what->items);
    for (int64_t k = 0; ok && k < what->items; k++) {
        int64_t value = ((const int64_t *)view->buf)[k];
        ok = value >= what->low && value < what->high;
    }
    if (!ok) {
        PyErr_Format(PyExc_ValueError, "%s: wrong number, type or range of items", what->name);
        PyBuffer_Release(view);
    }
    return ok;
}

static bool take_numbers(PyObject *tuple, int count, int64_t *numbers)
{
    bool ok = PyTuple_Check(tuple) && PyTuple_Size(tuple) == count;
    for (int k = 0; ok && k < count; k++) {
        numbers[k] = PyLong_AsLongLong(PyTuple_GetItem(tuple, k));
        ok = PyErr_Occurred() == NULL && numbers[k] >= 0 && numbers[k] < GREATEST;
    }
    if (!ok && PyErr_Occurred() == NULL) {
        PyErr_Format(PyExc_ValueError, "expected %d numbers", count);
    }
    return ok;
}

/* An array in which the parts of another start, one more at its end. */
static bool starts(const int64_t *start, int64_t parts, int64_t items)
{
    bool ok = start[0] == 0 && start[parts] == items;
    for (int64_t k = 0; ok && k < parts; k++) {
        ok = start[k] <= start[k + 1];
    }
    return ok;
}

/* The counts of a state stay inside the tables of each step and chain. */
static bool consistent(const rowcore_table *t, int64_t places)
{
    bool ok = starts(t->move_start, t->steps, t->moves) &&
              starts(t->chain_start, t->chains, t->cells);
    for (int64_t s = 0; ok && s < t->steps; s++) {
        ok = t->totals[s] == t->move_start[s + 1] - t->move_start[s] &&
             t->step_start[s] == t->move_start[s] + s;
    }
    for (int64_t c = 0; ok && c < t->chains; c++) {
        ok = t->freed_start[c] == t->chain_start[c] + c;
        for (int64_t k = c * t->width; ok && k < (c + 1) * t->width; k++) {
            int64_t end = t->place[k] + t->totals[t->reader[k]], most = t->chain_start[c + 1];
            ok = end < places;
            for (int64_t i = t->place[k]; ok && i <= end; i++) {
                ok = t->ended[i] <= most - t->chain_start[c];
            }
        }
    }
    for (int64_t k = 0; ok && k < t->cells * t->steps; k++) {
        ok = t->target[k] <= t->totals[k % t->steps];
    }
    for (int64_t k = 0; ok && k < t->moves * t->steps; k++) {
        ok = t->needing[k] <= t->totals[k % t->steps];
    }
    return ok;
}

/* Numbers of moves are those of their steps. */
static bool in_step(const rowcore_table *t)
{
    bool ok = true;
    for (int64_t k = 0; ok && k < t->read_start[t->cells]; k++) {
        ok = t->read_count[k] <= t->totals[t->read_step[k]];
    }
    for (int64_t k = 0; ok && k < t->cells; k++) {
        ok = t->born_step[k] < 0 || t->born_move[k] < t->totals[t->born_step[k]];
    }
    for (int64_t s = 0; ok && s < t->steps; s++) {
        ok = t->begun[s] <= t->totals[s];
    }
    for (int64_t k = 0; ok && k < t->end_start[t->cells]; k++) {
        ok = t->end_move[k] < t->totals[t->end_step[k]];
    }
    return ok;
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

static PyObject *answer(const rowcore_table *table, rowcore_task *task)
{
    int64_t count = 0;
    PyObject *order = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(table->moves * 8));
    if (order == NULL) {
        return NULL;
    }
    int64_t *moves = (int64_t *)(void *)PyBytes_AsString(order);
    rowcore_status status = rowcore_search(table, task, &count, moves);
    PyObject *result = NULL;
    if (status == ROWCORE_NO_MEMORY) {
        PyErr_NoMemory();
    } else if (PyErr_Occurred() == NULL) {
        result = Py_BuildValue("iLLO", (int)status, (long long)task->limit, (long long)count,
                               status == ROWCORE_FOUND ? order : Py_None);
    }
    Py_DECREF(order);
    return result;
}

static PyObject *run(const int64_t *sizes, const int64_t *numbers, const Py_buffer *v,
                     PyObject *stop)
{
    rowcore_table table = {
        sizes[0],   sizes[1],   sizes[2],   sizes[3],   sizes[4],   numbers[0], numbers[1],
        v[0].buf,   v[1].buf,   v[2].buf,   v[3].buf,   v[4].buf,   v[5].buf,   v[6].buf,
        v[7].buf,   v[8].buf,   v[9].buf,   v[10].buf,  v[11].buf,  v[12].buf,  v[13].buf,
        v[14].buf,  v[15].buf,  v[16].buf,  v[17].buf,  v[18].buf,  v[19].buf,  v[20].buf,
        v[21].buf,  v[22].buf,  v[23].buf,  v[24].buf,  v[25].buf,  v[26].buf,  v[27].buf,
        v[28].buf,  v[29].buf,
    };
    rowcore_task task = {numbers[2], numbers[3], numbers[4], numbers[5] != 0, poll, stop};
    bool ok = consistent(&table, sizes[5]) &&
              starts(table.end_start, table.cells, sizes[6]) &&
              starts(table.save_start, table.moves, sizes[7]) &&
              starts(table.read_start, table.cells, sizes[8]) &&
              starts(table.birth_start, table.moves, sizes[9]);
    if (!ok || !in_step(&table)) {
        PyErr_SetString(PyExc_ValueError, "the tables contradict each other");
        return NULL;
    }
    return answer(&table, &task);
}

static PyObject *search(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    int64_t n[SIZES], numbers[TASK];
    PyObject *sizes, *task, *arrays, *stop, *result = NULL;
    Py_buffer views[ARRAYS];
    int taken = 0;
    if (!PyArg_ParseTuple(arguments, "OOOO", &sizes, &task, &arrays, &stop) ||
        !take_numbers(sizes, SIZES, n) || !take_numbers(task, TASK, numbers)) {
        return NULL;
    }
    int64_t steps = n[0], moves = n[1], chains = n[2], cells = n[3], bytes = GREATEST;
    const kind kinds[ARRAYS] = {
        {"totals", steps, 1, INT32_MAX},
        {"step_start", steps, 0, moves + steps},
        {"grown", moves + steps, 0, bytes},
        {"move_start", steps + 1, 0, moves + 1},
        {"extra", moves, 0, bytes},
        {"needing", moves * steps, 0, INT32_MAX},
        {"chain_start", chains + 1, 0, cells + 1},
        {"chain_of", cells, 0, chains},
        {"target", cells * steps, 0, INT32_MAX},
        {"reader", chains * n[4], 0, steps},
        {"place", chains * n[4], 0, n[5]},
        {"ended", n[5], 0, cells + 1},
        {"freed_start", chains, 0, cells + chains},
        {"freed", cells + chains, 0, bytes},
        {"end_start", cells + 1, 0, n[6] + 1},
        {"end_step", n[6], 0, steps},
        {"end_move", n[6], 0, moves},
        {"save_start", moves + 1, 0, n[7] + 1},
        {"save_cell", n[7], 0, cells},
        {"save_bytes", n[7], 0, bytes},
        {"nbytes", cells, 0, bytes},
        {"born_step", cells, -1, steps},
        {"born_move", cells, -1, moves},
        {"read_start", cells + 1, 0, n[8] + 1},
        {"read_step", n[8], 0, steps},
        {"read_count", n[8], 1, moves + 1},
        {"birth_start", moves + 1, 0, n[9] + 1},
        {"birth_cell", n[9], -1, cells},
        {"birth_bytes", n[9], 0, bytes},
        {"begun", steps, 0, INT32_MAX},
    };
    bool ok = PyTuple_Check(arrays) && PyTuple_Size(arrays) == ARRAYS && steps > 0 &&
              n[4] > 0 && moves < INT32_MAX && steps < INT32_MAX / (moves + 1);
    if (!ok) {
        PyErr_SetString(PyExc_ValueError, "wrong number of arrays or sizes");
    }
    for (; ok && taken < ARRAYS; taken += ok ? 1 : 0) {
        ok = take_array(PyTuple_GetItem(arrays, taken), &kinds[taken], &views[taken]);
    }
    if (ok) {
        result = run(n, numbers, views, stop);
    }
    while (taken > 0) {
        PyBuffer_Release(&views[--taken]);
    }
    return result;
}

static PyMethodDef methods[] = {
    {"search", search, METH_VARARGS,
     "search(sizes, task, arrays, stop) -> (status, limit, states, order); see search.py."},
    {NULL, NULL, 0, NULL},
};

/* Grows with every change of arguments or results; the Python side asks for it. */
#define INTERFACE 3

static int add_constants(PyObject *module)
{
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)add_constants}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_rowcore",
    "The search for an order of rows.",
    0,
    methods,
    slots,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__rowcore(void)
{
    return PyModuleDef_Init(&definition);
}
