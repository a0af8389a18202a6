/* SPDX-License-Identifier: 0BSD */
/* app.c - uses a bundle as an application would; see app.h. */
#include <string.h>

#include "app.h"

#define WORDS (256U) /* that are written or read at once */
#define STALE_BYTE (0x3CU)

static int32_t out_file;
static int32_t in_file;
static uint32_t waiting[WORDS];
static uint32_t waiting_count;

uint32_t harness_guarded;
uint32_t harness_sealed;
uint32_t harness_stray;

/* A bundle that was compiled for a hook calls it. */
void harness_step(uint32_t step)
{
    (void)step;
}

static void flush(void)
{
    harness_write(out_file, waiting, waiting_count * 4U);
    waiting_count = 0U;
}

void app_put(uint32_t word)
{
    waiting[waiting_count] = word;
    waiting_count++;
    if (waiting_count == WORDS) {
        flush();
    }
}

static void put_float(float value)
{
    union {
        float value;
        uint32_t word;
    } same;

    same.value = value;
    app_put(same.word);
}

uint32_t app_state(void)
{
    uint32_t sum = 2166136261U; /* FNV-1a */

    for (uint32_t r = 0U; r < app_region_count; r++) {
        for (uint32_t i = 0U; i < app_regions[r].nbytes; i++) {
            sum = (sum ^ app_regions[r].address[i]) * 16777619U;
        }
    }
    return sum;
}

static float next_float(void)
{
    static float taken[WORDS];
    static uint32_t have;
    static uint32_t next;

    if (next == have) {
        have = harness_read(in_file, taken, (uint32_t)sizeof taken) / 4U;
        next = 0U;
    }
    if (have == 0U) {
        harness_print("app_in.bin is too short\n");
        harness_exit(HARNESS_EXIT_FILE);
    }
    next++;
    return taken[next - 1U];
}

static void wrong_calls(void)
{
    for (uint32_t w = 0U; w < app_wrong_count; w++) {
        for (uint32_t entry = 0U; entry < app_entry_count; entry++) {
            APP_TRY(app_enter(entry, app_wrong[w]));
        }
        for (uint32_t i = 0U; i < app_input_count; i++) {
            if (app_inputs[i].at != NULL) {
                app_put((app_inputs[i].at(app_wrong[w]) == NULL) ? 1U : 0U);
            }
        }
        for (uint32_t i = 0U; i < app_output_count; i++) {
            app_put((app_outputs[i].at(app_wrong[w]) == NULL) ? 1U : 0U);
        }
    }
}

/* Whether all bytes of a port lie in one arena. */
static void place(const app_port_t *port)
{
    const uintptr_t first = (uintptr_t)port->at(app_context);
    uint32_t inside = 0U;

    for (uint32_t r = 0U; r < app_arena_count; r++) {
        const uintptr_t start = (uintptr_t)app_regions[r].address;
        if ((first >= start) && (first + port->nbytes <= start + app_regions[r].nbytes)) {
            inside = 1U;
        }
    }
    app_put(inside);
}

static void places(void)
{
    for (uint32_t i = 0U; i < app_input_count; i++) {
        if (app_inputs[i].at != NULL) {
            place(&app_inputs[i]);
        }
    }
    for (uint32_t i = 0U; i < app_output_count; i++) {
        place(&app_outputs[i]);
    }
}

static void conversions(void)
{
    for (uint32_t i = 0U; i < app_input_count; i++) {
        for (uint32_t k = 0U; k < APP_PROBES; k++) {
            app_put((uint32_t)app_inputs[i].quantize(next_float()));
        }
    }
    for (uint32_t i = 0U; i < app_output_count; i++) {
        for (int32_t k = 0; k < 256; k++) {
            put_float(app_outputs[i].real(app_outputs[i].low + k));
        }
    }
}

static int32_t element(const app_port_t *port, const uint8_t *from)
{
    int32_t q = (int32_t)from[0];

    if (port->size >= sizeof q) { /* of 64 bits the low ones: little-endian */
        (void)memcpy(&q, from, sizeof q);
    } else if (port->size == sizeof(int16_t)) {
        int16_t half;

        (void)memcpy(&half, from, sizeof half);
        q = half;
    } else if ((port->low < 0) && (q > 127)) {
        q -= 256;
    }
    return q;
}

static void answer(void)
{
    uint32_t status = 0U;

    for (uint32_t i = 0U; i < app_input_count; i++) {
        app_port_t *const port = &app_inputs[i];
        uint8_t *const to = (port->at != NULL) ? port->at(app_context) : port->fed;
        for (uint32_t k = 0U; k < port->nbytes; k += port->size) {
            const int32_t q = port->quantize(next_float());
            if (port->size >= sizeof q) {
                (void)memset(&to[k], (q < 0) ? 0xFF : 0, port->size);
                (void)memcpy(&to[k], &q, sizeof q);
            } else {
                (void)memcpy(&to[k], &q, port->size); /* the low bytes: little-endian */
            }
        }
    }
    for (uint32_t call = 0U; (status == 0U) && (call < harness_call_count); call++) {
        status = harness_wrong(call, harness_call_plainly(call));
    }
    if (status != 0U) {
        harness_exit(HARNESS_EXIT_INVOKE);
    }
    for (uint32_t i = 0U; i < app_output_count; i++) {
        const app_port_t *const port = &app_outputs[i];
        const uint8_t *const from = port->at(app_context);
        for (uint32_t k = 0U; k < port->nbytes; k += port->size) {
            put_float(port->real(element(port, &from[k])));
        }
    }
}

int main(void)
{
    in_file = harness_open("app_in.bin", 0);
    out_file = harness_open("app.bin", 1);
    if ((in_file < 0) || (out_file < 0)) {
        harness_exit(HARNESS_EXIT_FILE);
    }
    for (uint32_t i = 0U; i < app_fact_count; i++) {
        app_put(app_facts[i]);
    }
    for (uint32_t i = 0U; i < app_scale_count; i++) {
        put_float(app_scales[i]);
    }
    for (uint32_t r = 0U; r < app_arena_count; r++) {
        for (uint32_t i = 0U; i < app_regions[r].nbytes; i++) {
            app_regions[r].address[i] = (uint8_t)STALE_BYTE;
        }
    }
    wrong_calls();
    app_order();
    places();
    conversions();
    answer();
    flush();
    harness_exit(HARNESS_EXIT_OK);
    return 0;
}
