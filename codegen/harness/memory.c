/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - caches, port and prefetch of a flash memory. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LINES (65536U)
#define NONE (UINT32_MAX)
#define WORD (4U) /* what an instruction or a load has at most */

/* A line that is held: in a list from the one used last, and in one of its bucket. */
typedef struct {
    uint64_t line;
    uint32_t newer, older, next;
    uint32_t reads; /* bit k: read k of the line is there */
} slot_t;

typedef struct {
    slot_t *slots;
    uint32_t *buckets;
    uint32_t lines, used, newest, oldest, mask;
} cache_t;

static memory_t flash;
static cache_t for_code, for_data;
static cache_t *data_cache;
static uint64_t now, port_free;
static uint64_t current, ahead, ahead_ready; /* numbers of reads, and when the second is there */

static bool is_power(uint64_t n)
{
    return (n != 0U) && ((n & (n - 1U)) == 0U);
}

static uint32_t *bucket_of(cache_t *cache, uint64_t line)
{
    return &cache->buckets[(uint32_t)(line * 0x9E3779B1U) >> 7U & cache->mask];
}

static int make_cache(cache_t *cache, uint64_t lines)
{
    uint32_t buckets = 2U;

    if (lines > MAX_LINES) {
        return -1;
    }
    while (buckets < 2U * lines) {
        buckets *= 2U;
    }
    free(cache->slots);
    free(cache->buckets);
    cache->slots = calloc((size_t)lines + 1U, sizeof *cache->slots);
    cache->buckets = calloc(buckets, sizeof *cache->buckets);
    cache->lines = (uint32_t)lines;
    cache->mask = buckets - 1U;
    return ((cache->slots != NULL) && (cache->buckets != NULL)) ? 0 : -1;
}

static void clear_cache(cache_t *cache)
{
    cache->used = 0U;
    cache->newest = cache->oldest = NONE;
    memset(cache->buckets, 0xFF, ((size_t)cache->mask + 1U) * sizeof *cache->buckets);
}

static uint32_t find(cache_t *cache, uint64_t line)
{
    uint32_t at = *bucket_of(cache, line);

    while ((at != NONE) && (cache->slots[at].line != line)) {
        at = cache->slots[at].next;
    }
    return at;
}

static void unlink_slot(cache_t *cache, uint32_t at)
{
    const slot_t *const slot = &cache->slots[at];

    if (slot->newer != NONE) {
        cache->slots[slot->newer].older = slot->older;
    } else {
        cache->newest = slot->older;
    }
    if (slot->older != NONE) {
        cache->slots[slot->older].newer = slot->newer;
    } else {
        cache->oldest = slot->newer;
    }
}

static void link_newest(cache_t *cache, uint32_t at)
{
    cache->slots[at].newer = NONE;
    cache->slots[at].older = cache->newest;
    if (cache->newest != NONE) {
        cache->slots[cache->newest].newer = at;
    } else {
        cache->oldest = at;
    }
    cache->newest = at;
}

static void drop(cache_t *cache, uint32_t at)
{
    uint32_t *link = bucket_of(cache, cache->slots[at].line);

    while (*link != at) {
        link = &cache->slots[*link].next;
    }
    *link = cache->slots[at].next;
    unlink_slot(cache, at);
}

static uint32_t bit_of(uint64_t address)
{
    return 1U << (address % flash.line_bytes / flash.read_bytes);
}

static bool holds(cache_t *cache, uint64_t address)
{
    const uint32_t at = find(cache, address / flash.line_bytes);

    return (at != NONE) && ((cache->slots[at].reads & bit_of(address)) != 0U);
}

/* Whether the bytes are there; their line is then the one used last. */
static bool hit(cache_t *cache, uint64_t address)
{
    const uint32_t at = find(cache, address / flash.line_bytes);

    if (at == NONE) {
        return false;
    }
    if (at != cache->newest) {
        unlink_slot(cache, at);
        link_newest(cache, at);
    }
    return (cache->slots[at].reads & bit_of(address)) != 0U;
}

static void keep(cache_t *cache, uint64_t address)
{
    const uint64_t line = address / flash.line_bytes;
    uint32_t at = find(cache, line);

    if (cache->lines == 0U) {
        return;
    }
    if (at == NONE) {
        uint32_t *const bucket = bucket_of(cache, line);
        if (cache->used < cache->lines) {
            at = cache->used;
            cache->used++;
        } else {
            at = cache->oldest;
            drop(cache, at);
        }
        cache->slots[at].line = line;
        cache->slots[at].reads = 0U;
        cache->slots[at].next = *bucket;
        *bucket = at;
        link_newest(cache, at);
    }
    cache->slots[at].reads |= bit_of(address);
}

/* A read as soon as the port is free: when its bytes are there. */
static uint64_t read_port(void)
{
    const uint64_t start = (port_free > now) ? port_free : now;

    port_free = start + flash.wait_states + 1U;
    return start + flash.wait_states;
}

static uint64_t wait_until(uint64_t ready)
{
    const uint64_t waited = (ready > now) ? (ready - now) : 0U;

    now += waited;
    return waited;
}

int memory_describe(const memory_t *description)
{
    flash = *description;
    if (flash.read_bytes == 0U) {
        return 0;
    }
    if (!is_power(flash.read_bytes) || (flash.read_bytes < WORD) ||
        !is_power(flash.line_bytes) || (flash.line_bytes < flash.read_bytes) ||
        (flash.line_bytes > 32U * flash.read_bytes)) {
        return -1;
    }
    data_cache = (flash.unified != 0U) ? &for_code : &for_data;
    if ((make_cache(&for_code, flash.code_lines) != 0) ||
        (make_cache(&for_data, flash.data_lines) != 0)) {
        return -1;
    }
    memory_clear();
    return 0;
}

void memory_clear(void)
{
    now = port_free = ahead_ready = 0U;
    current = ahead = UINT64_MAX;
    if (flash.read_bytes != 0U) {
        clear_cache(&for_code);
        clear_cache(&for_data);
    }
}

void memory_pass(int64_t cycles)
{
    now += (uint64_t)cycles;
}

bool memory_is_flash(uint64_t address)
{
    return (flash.read_bytes != 0U) && (address < flash.ram);
}

uint64_t memory_fetch(uint64_t address)
{
    const uint64_t read = address / flash.read_bytes;
    uint64_t waited;

    if (read == current) {
        return 0U;
    }
    current = read;
    if (hit(&for_code, address)) {
        return 0U;
    }
    waited = wait_until((read == ahead) ? ahead_ready : read_port());
    keep(&for_code, address);
    if ((flash.prefetch != 0U) && !holds(&for_code, address + flash.read_bytes)) {
        ahead = read + 1U;
        ahead_ready = read_port();
    }
    return waited;
}

uint64_t memory_load(uint64_t address)
{
    uint64_t waited;

    if (hit(data_cache, address)) {
        return 0U;
    }
    waited = wait_until(read_port());
    keep(data_cache, address);
    return waited;
}
