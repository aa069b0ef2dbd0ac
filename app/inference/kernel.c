/* A layer of GRU over sequences side by side, float32 or int8; after it what its memory
   answers, heads, and what is told of a context of documents.

   Gates in PyTorch's order, reset, update, new, with the bias of the recurrent side
   inside the reset (https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html).
   Sequences are taken sixteen at a time, and what they read four steps at a time, of
   fewer sequences more, so that weights, gates and states stay in the second-level
   cache.

   The caller packs a matrix of N outputs and K inputs, padded with zeros to multiples
   of 32 and of 4, of int8 of 64, in panels of 16 outputs: float32 (N / 16, K, 16), int8
   (N / 16, K / 4, 16, 4), whose innermost four one instruction multiplies and adds, and
   sixteen such rows of four are a tile of AMX. */

#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif
#if defined(__AMX_INT8__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define TILES
#endif

#define PANEL 16
#define ROWS 16
#define EIGHT 8
#define STEPS 4
#define FEWEST_TILED 2
/* Below, reading weights is what costs, and no tile is faster. */

/* sums in an array stay in registers only where the loop over them is gone */
#define UNROLLED _Pragma("GCC unroll 8")

typedef struct {
    const void *packed;
    const float *scale;     /* of each output; NULL: packed is float32 */
    const int32_t *sum;     /* of the weights of each output; NULL for float32 */
    const float *bias;      /* of each output */
    int64_t inputs;         /* K, a multiple of 4 */
    int64_t outputs;        /* N, a multiple of 32 */
} matrix;

/* ---- products -------------------------------------------------------------------- */

/* Up to eight rows, one after the other in memory; of their inputs so many count. */
static void panels_f32(const float *restrict packed, const float *restrict rows,
                       int num_rows, int64_t inputs, int64_t count,
                       float (*restrict sums)[2 * PANEL])
{
    const float *second = packed + inputs * PANEL;
#if defined(__AVX512F__)
    __m512 low[EIGHT], high[EIGHT];
    for (int r = 0; r < EIGHT; r++) low[r] = high[r] = _mm512_setzero_ps();
#define ADD(slot, row, k)                                                              \
    do {                                                                               \
        __m512 value = _mm512_set1_ps(rows[(row) * inputs + (k)]);                     \
        low[slot] = _mm512_fmadd_ps(first_w, value, low[slot]);                        \
        high[slot] = _mm512_fmadd_ps(second_w, value, high[slot]);                     \
    } while (0)
#define WEIGHTS(k)                                                                     \
    __m512 first_w = _mm512_loadu_ps(packed + (k) * PANEL);                            \
    __m512 second_w = _mm512_loadu_ps(second + (k) * PANEL)
    /* in the same order however many there are, so that a context alone gives to the
       bit what it gives among others */
    if (num_rows == 1) {
        for (int64_t k = 0; k < count; k++) {
            WEIGHTS(k);
            ADD(0, 0, k);
        }
    } else if (num_rows <= 4) {
        for (int64_t k = 0; k < count; k++) {
            WEIGHTS(k);
            UNROLLED for (int r = 0; r < 4; r++) ADD(r, r, k);
        }
    } else {
        for (int64_t k = 0; k < count; k++) {
            WEIGHTS(k);
            UNROLLED for (int r = 0; r < EIGHT; r++) ADD(r, r, k);
        }
    }
    for (int r = 0; r < num_rows; r++) {
        _mm512_storeu_ps(sums[r], low[r]);
        _mm512_storeu_ps(sums[r] + PANEL, high[r]);
    }
#undef ADD
#undef WEIGHTS
#else
    memset(sums, 0, EIGHT * sizeof *sums);
    for (int r = 0; r < num_rows; r++)
        for (int64_t k = 0; k < count; k++)
            for (int j = 0; j < PANEL; j++) {
                sums[r][j] += packed[k * PANEL + j] * rows[r * inputs + k];
                sums[r][PANEL + j] += second[k * PANEL + j] * rows[r * inputs + k];
            }
#endif
}

static void panels_i8(const int8_t *restrict packed, const uint8_t *restrict rows,
                      int num_rows, int64_t inputs, int32_t (*restrict sums)[2 * PANEL])
{
    const int8_t *second = packed + inputs * PANEL;
#if defined(__AVX512VNNI__)
    __m512i low[EIGHT], high[EIGHT];
    for (int r = 0; r < EIGHT; r++) low[r] = high[r] = _mm512_setzero_si512();
#define ADD(slot, row, k)                                                              \
    do {                                                                               \
        int32_t four;                                                                  \
        memcpy(&four, rows + (row) * inputs + (k), 4);                                 \
        __m512i value = _mm512_set1_epi32(four);                                       \
        low[slot] = _mm512_dpbusd_epi32(low[slot], value, first_w);                    \
        high[slot] = _mm512_dpbusd_epi32(high[slot], value, second_w);                 \
    } while (0)
#define WEIGHTS(k)                                                                     \
    __m512i first_w = _mm512_loadu_si512(packed + (k) * PANEL);                        \
    __m512i second_w = _mm512_loadu_si512(second + (k) * PANEL)
    if (num_rows == 1) {
        for (int64_t k = 0; k < inputs; k += 16)
            UNROLLED for (int i = 0; i < 4; i++) {
                WEIGHTS(k + 4 * i);
                ADD(i, 0, k + 4 * i);
            }
        low[0] = _mm512_add_epi32(_mm512_add_epi32(low[0], low[1]),
                                  _mm512_add_epi32(low[2], low[3]));
        high[0] = _mm512_add_epi32(_mm512_add_epi32(high[0], high[1]),
                                   _mm512_add_epi32(high[2], high[3]));
    } else if (num_rows <= 4) {
        for (int64_t k = 0; k < inputs; k += 4) {
            WEIGHTS(k);
            UNROLLED for (int r = 0; r < 4; r++) ADD(r, r, k);
        }
    } else {
        for (int64_t k = 0; k < inputs; k += 4) {
            WEIGHTS(k);
            UNROLLED for (int r = 0; r < EIGHT; r++) ADD(r, r, k);
        }
    }
    for (int r = 0; r < num_rows; r++) {
        _mm512_storeu_si512(sums[r], low[r]);
        _mm512_storeu_si512(sums[r] + PANEL, high[r]);
    }
#undef ADD
#undef WEIGHTS
#else
    memset(sums, 0, EIGHT * sizeof *sums);
    for (int r = 0; r < num_rows; r++)
        for (int64_t k = 0; k < inputs; k += 4)
            for (int j = 0; j < PANEL; j++)
                for (int i = 0; i < 4; i++) {
                    int32_t value = rows[r * inputs + k + i];
                    sums[r][j] += value * packed[k * PANEL + 4 * j + i];
                    sums[r][PANEL + j] += value * second[k * PANEL + 4 * j + i];
                }
#endif
}

#if defined(TILES)
static int has_tiles;

/* A process asks for tiles before it uses them: they make its saved state larger
   (https://docs.kernel.org/arch/x86/xstate.html). */
__attribute__((constructor)) static void ask_for_tiles(void)
{
    has_tiles = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

/* Eight tiles of sixteen rows of 64 bytes. */
static const struct {
    uint8_t palette, start, unused[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} all_tiles = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64},
               {16, 16, 16, 16, 16, 16, 16, 16}};

static void begin_tiles(void)
{
    if (has_tiles) _tile_loadconfig(&all_tiles);
}

static void end_tiles(void)
{
    if (has_tiles) _tile_release();
}

/* Sixteen rows; those that mean nothing cost no more. */
static void tiles_i8(const int8_t *restrict packed, const uint8_t *restrict rows,
                     int64_t inputs, int32_t (*restrict sums)[2 * PANEL])
{
    const int8_t *second = packed + inputs * PANEL;
    /* of what is read through tiles the compiler knows nothing */
    __asm__ volatile("" ::: "memory");
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t k = 0; k < inputs; k += 64) {
        _tile_loadd(2, rows + k, inputs);
        _tile_loadd(3, packed + k * PANEL, 64);
        _tile_loadd(4, second + k * PANEL, 64);
        _tile_dpbusd(0, 2, 3);
        _tile_dpbusd(1, 2, 4);
    }
    _tile_stored(0, sums, sizeof *sums);
    _tile_stored(1, sums[0] + PANEL, sizeof *sums);
}
#else
enum { has_tiles = 0 };
static void begin_tiles(void) {}
static void end_tiles(void) {}
static void tiles_i8(const int8_t *packed, const uint8_t *rows, int64_t inputs,
                     int32_t (*sums)[2 * PANEL])
{
    (void)packed, (void)rows, (void)inputs, (void)sums;
}
#endif

/* What up to sixteen rows give, bias included; there is room for sixteen. Where the
   matrix is int8 a row is its codes, 128 + value / unit. */
static void multiply(const matrix *m, const float *rows, const uint8_t *codes,
                     const float *unit, int num_rows, float *restrict out)
{
    for (int64_t n = 0; n < m->outputs; n += 2 * PANEL) {
        if (m->scale == NULL) {
            float sums[ROWS][2 * PANEL];
            for (int r = 0; r < num_rows; r += EIGHT)
                panels_f32((const float *)m->packed + n * m->inputs, rows + r * m->inputs,
                           num_rows - r < EIGHT ? num_rows - r : EIGHT, m->inputs,
                           m->inputs, sums + r);
            for (int r = 0; r < num_rows; r++)
                for (int j = 0; j < 2 * PANEL; j++)
                    out[r * m->outputs + n + j] = sums[r][j] + m->bias[n + j];
        } else {
            const int8_t *packed = (const int8_t *)m->packed + n * m->inputs;
            int32_t sums[ROWS][2 * PANEL];
            if (has_tiles && num_rows >= FEWEST_TILED)
                tiles_i8(packed, codes, m->inputs, sums);
            else
                for (int r = 0; r < num_rows; r += EIGHT)
                    panels_i8(packed, codes + r * m->inputs,
                              num_rows - r < EIGHT ? num_rows - r : EIGHT, m->inputs,
                              sums + r);
            for (int r = 0; r < num_rows; r++)
                for (int j = 0; j < 2 * PANEL; j++)
                    out[r * m->outputs + n + j] =
                        (float)(sums[r][j] - 128 * m->sum[n + j]) *
                            (unit[r] * m->scale[n + j]) +
                        m->bias[n + j];
        }
    }
}

static void encode(const float *restrict row, uint8_t *restrict codes, int64_t size,
                   float unit)
{
    float each = 1.0f / unit;
    for (int64_t i = 0; i < size; i++)
        codes[i] = (uint8_t)(int32_t)(rintf(row[i] * each) + 128.0f);
}

/* Largest of the sizes of a row; of what is not negative bits order as numbers do, and
   of integers the compiler looks for the largest of sixteen at once. */
static float largest(const float *restrict row, int64_t size)
{
    union { int32_t bits; float value; } most = {0};
    for (int64_t i = 0; i < size; i++) {
        int32_t bits;
        memcpy(&bits, row + i, sizeof bits);
        bits &= 0x7fffffff;
        most.bits = bits > most.bits ? bits : most.bits;
    }
    return most.value;
}

/* What rows give that have no unit yet; `given` is padded as the matrix is. */
static void multiply_any(const matrix *m, const float *given, uint8_t *codes,
                         int num_rows, float *restrict out)
{
    float unit[ROWS];
    for (int r = 0; r < num_rows && m->scale != NULL; r++) {
        float most = largest(given + r * m->inputs, m->inputs);
        unit[r] = most > 0.0f ? most / 127.0f : 1.0f;
        encode(given + r * m->inputs, codes + r * m->inputs, m->inputs, unit[r]);
    }
    multiply(m, given, codes, unit, num_rows, out);
}

/* Bytes that `linear` works in. */
int64_t linear_scratch(const matrix *m)
{
    return ROWS * (sizeof(float) * (m->outputs + m->inputs) + m->inputs);
}

/* A layer without recurrence: rows (N, I) to (N, O), of which `size` count. */
void linear(const matrix *m, const float *rows, int64_t num_rows, int64_t num_inputs,
            int64_t size, float *out, float *scratch)
{
    float *given = scratch, *made = given + ROWS * m->inputs;
    uint8_t *codes = (uint8_t *)(made + ROWS * m->outputs);
    memset(given, 0, ROWS * m->inputs * sizeof(float));
    begin_tiles();
    for (int64_t first = 0; first < num_rows; first += ROWS) {
        int count = num_rows - first < ROWS ? (int)(num_rows - first) : ROWS;
        for (int r = 0; r < count; r++)
            memcpy(given + r * m->inputs, rows + (first + r) * num_inputs,
                   num_inputs * sizeof(float));
        multiply_any(m, given, codes, count, made);
        for (int r = 0; r < count; r++)
            memcpy(out + (first + r) * size, made + r * m->outputs,
                   size * sizeof(float));
    }
    end_tiles();
}

/* ---- gates ----------------------------------------------------------------------- */

/* 2^n times a polynomial, to about one unit in the last place (Cephes, expf). */
static inline float exponential(float x)
{
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float n = floorf(x * 1.44269504088896341f + 0.5f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { int32_t bits; float value; } power = {((int32_t)n + 127) << 23};
    return p * power.value;
}

static void gates(const float *restrict input, const float *restrict recurrent,
                  float *restrict state, int64_t size)
{
    for (int64_t j = 0; j < size; j++) {
        float reset = 1.0f / (1.0f + exponential(-input[j] - recurrent[j]));
        float keep =
            1.0f / (1.0f + exponential(-input[size + j] - recurrent[size + j]));
        float both = input[2 * size + j] + reset * recurrent[2 * size + j];
        float new = 1.0f - 2.0f / (1.0f + exponential(2.0f * both));
        state[j] = new + keep * (state[j] - new);
    }
}

/* ---- the layer ------------------------------------------------------------------- */

/* Bytes that `gru_layer` works in. */
int64_t gru_scratch(const matrix *input, const matrix *recurrent)
{
    return ROWS * (sizeof(float) * (STEPS * input->outputs + recurrent->outputs) +
                   (sizeof(float) + 1) * (input->inputs + recurrent->inputs));
}

/* read: (B, T, I) float32, of which `matrix.inputs` is at least I; last: (B, H), the
   states to begin with, and afterwards the last; states: (B, T, H), where H is `size`. */
void gru_layer(const matrix *input, const matrix *recurrent, const float *read,
               int64_t num_sequences, int64_t length, int64_t num_inputs, int64_t size,
               float *last, float *states, float *scratch)
{
    float *state = scratch;
    float *given = state + ROWS * recurrent->inputs;
    uint8_t *codes = (uint8_t *)(given + ROWS * input->inputs);
    uint8_t *state_codes = codes + ROWS * input->inputs;
    float *read_gates = (float *)(state_codes + ROWS * recurrent->inputs);
    float *own_gates = read_gates + ROWS * STEPS * input->outputs;
    float unit[ROWS];
    /* a state lies within -1 and 1 */
    for (int r = 0; r < ROWS; r++) unit[r] = 1.0f / 127.0f;
    memset(scratch, 0, (uint8_t *)read_gates - (uint8_t *)scratch);
    begin_tiles();
    for (int64_t first = 0; first < num_sequences; first += ROWS) {
        int64_t rest = num_sequences - first;
        int count = rest < ROWS ? (int)rest : ROWS;
        int64_t most = ROWS * STEPS / count;
        for (int r = 0; r < count; r++)
            memcpy(state + r * recurrent->inputs, last + (first + r) * size,
                   size * sizeof(float));
        for (int64_t begin = 0; begin < length; begin += most) {
            int64_t steps = length - begin < most ? length - begin : most;
            /* what is read: no step waits for another, so the rows are any sixteen */
            for (int64_t pair = 0; pair < steps * count; pair += ROWS) {
                int64_t left = steps * count - pair;
                int together = left < ROWS ? (int)left : ROWS;
                for (int r = 0; r < together; r++) {
                    int64_t one = pair + r;
                    int64_t place = (first + one % count) * length + begin + one / count;
                    memcpy(given + r * input->inputs, read + place * num_inputs,
                           num_inputs * sizeof(float));
                }
                multiply_any(input, given, codes, together,
                             read_gates + pair * input->outputs);
            }
            for (int64_t step = 0; step < steps; step++) {
                if (recurrent->scale != NULL)
                    encode(state, state_codes, count * recurrent->inputs, unit[0]);
                multiply(recurrent, state, state_codes, unit, count, own_gates);
                for (int r = 0; r < count; r++) {
                    float *own = state + r * recurrent->inputs;
                    gates(read_gates + (step * count + r) * input->outputs,
                          own_gates + r * recurrent->outputs, own, size);
                    memcpy(states + ((first + r) * length + begin + step) * size, own,
                           size * sizeof(float));
                }
            }
        }
        for (int r = 0; r < count; r++)
            memcpy(last + (first + r) * size, state + r * recurrent->inputs,
                   size * sizeof(float));
    }
    end_tiles();
}

/* ---- what a memory answers ------------------------------------------------------- */

static int64_t whole(int64_t size, int64_t of)
{
    return (size + of - 1) / of * of;
}

/* Weights that sum to 1 of the first `count` scores, 0 up to `width`, a multiple of 16.
   Sixteen sums and maxima side by side, so that no loop waits for one. */
static void softmax(float *restrict score, int64_t count, int64_t width)
{
    float most[PANEL], sum[PANEL] = {0};
    for (int64_t s = count; s < width; s++) score[s] = -1e30f;
    for (int j = 0; j < PANEL; j++) most[j] = -1e30f;
    for (int64_t s = 0; s < width; s += PANEL)
        for (int j = 0; j < PANEL; j++)
            most[j] = score[s + j] > most[j] ? score[s + j] : most[j];
    for (int j = 1; j < PANEL; j++) most[0] = most[j] > most[0] ? most[j] : most[0];
    float highest = most[0];
    for (int64_t s = 0; s < width; s++) score[s] = exponential(score[s] - highest);
    for (int64_t s = count; s < width; s++) score[s] = 0.0f;
    for (int64_t s = 0; s < width; s += PANEL)
        for (int j = 0; j < PANEL; j++) sum[j] += score[s + j];
    for (int j = 1; j < PANEL; j++) sum[0] += sum[j];
    float each = count > 0 ? 1.0f / sum[0] : 0.0f;
    for (int64_t s = 0; s < width; s++) score[s] *= each;
}

/* Bytes that `recall` works in. */
int64_t recall_scratch(const matrix *ask, const matrix *value, int64_t length,
                       int64_t num_inputs)
{
    int64_t places = whole(length, 2 * PANEL), columns = whole(num_inputs, 2 * PANEL);
    int64_t most = ask->inputs > value->inputs ? ask->inputs : value->inputs;
    return sizeof(float) * places * (ask->outputs + columns) +
           ROWS * (sizeof(float) * (ask->outputs + places + most + value->outputs) +
                   most);
}

/* `FusedMemory` in recurrence.py: states (B, T, H) and what was read (B, T, I) to both
   states and answers, (B, T, 2 H). A query is scaled already. */
void recall(const matrix *ask, const matrix *value, const float *states,
            const float *read, int64_t num_contexts, int64_t length, int64_t size,
            int64_t num_inputs, float *features, float *scratch)
{
    int64_t places = whole(length, 2 * PANEL), columns = whole(num_inputs, 2 * PANEL);
    int64_t most = ask->inputs > value->inputs ? ask->inputs : value->inputs;
    float *keys = scratch;                         /* as a packed matrix, (places, H) */
    float *after = keys + places * ask->outputs;   /* and what was read, (columns, T) */
    float *asked = after + places * columns;
    float *weight = asked + ROWS * ask->outputs;
    float *given = weight + ROWS * places;
    float *answer = given + ROWS * most;
    uint8_t *codes = (uint8_t *)(answer + ROWS * value->outputs);
    float sums[EIGHT][2 * PANEL];
    memset(scratch, 0, recall_scratch(ask, value, length, num_inputs));
    begin_tiles();
    for (int64_t b = 0; b < num_contexts; b++) {
        const float *own = states + b * length * size;
        const float *inputs = read + b * length * num_inputs;
        for (int64_t s = 0; s < length; s++) {
            float *key = keys + s / PANEL * PANEL * ask->outputs + s % PANEL;
            for (int64_t k = 0; k < size; k++) key[k * PANEL] = own[s * size + k];
        }
        /* what is remembered of a state is what was read after it */
        for (int64_t s = 0; s + 1 < length; s++)
            for (int64_t i = 0; i < num_inputs; i++)
                after[i / PANEL * PANEL * places + s * PANEL + i % PANEL] =
                    inputs[(s + 1) * num_inputs + i];
        for (int64_t first = 0; first < length; first += ROWS) {
            int count = length - first < ROWS ? (int)(length - first) : ROWS;
            int64_t reach = whole(first + count - 1, 2 * PANEL);
            memset(given, 0, ROWS * most * sizeof(float));
            for (int r = 0; r < count; r++)
                memcpy(given + r * ask->inputs, own + (first + r) * size,
                       size * sizeof(float));
            multiply_any(ask, given, codes, count, asked);
            for (int64_t n = 0; n < reach; n += 2 * PANEL)
                for (int r = 0; r < count; r += EIGHT) {
                    int few = count - r < EIGHT ? count - r : EIGHT;
                    panels_f32(keys + n * ask->outputs, asked + r * ask->outputs, few,
                               ask->outputs, size, sums);
                    for (int i = 0; i < few; i++)
                        memcpy(weight + (r + i) * places + n, sums[i], sizeof sums[i]);
                }
            for (int r = 0; r < count; r++)
                softmax(weight + r * places, first + r, reach);
            memset(given, 0, ROWS * most * sizeof(float));
            for (int64_t n = 0; n < columns; n += 2 * PANEL)
                for (int r = 0; r < count; r += EIGHT) {
                    int few = count - r < EIGHT ? count - r : EIGHT;
                    int64_t left = num_inputs - n < 2 * PANEL ? num_inputs - n : 2 * PANEL;
                    panels_f32(after + n * places, weight + r * places, few, places,
                               reach, sums);
                    for (int i = 0; i < few; i++)
                        memcpy(given + (r + i) * value->inputs + n, sums[i],
                               left * sizeof(float));
                }
            multiply_any(value, given, codes, count, answer);
            for (int r = 0; r < count; r++) {
                float *both = features + (b * length + first + r) * 2 * size;
                memcpy(both, own + (first + r) * size, size * sizeof(float));
                /* the first state has no past, and reads nothing: not even the bias */
                if (first + r > 0)
                    memcpy(both + size, answer + r * value->outputs,
                           size * sizeof(float));
                else
                    memset(both + size, 0, size * sizeof(float));
            }
        }
    }
    end_tiles();
}

/* ---- heads, and steps of many contexts ------------------------------------------- */

/* Sixteen sums side by side, for the same reason as in `softmax`. */
static float product_of(const float *restrict one, const float *restrict other,
                        int64_t size)
{
    float sum[PANEL] = {0}, rest = 0.0f;
    int64_t even = size / PANEL * PANEL;
    for (int64_t i = 0; i < even; i += PANEL)
        for (int j = 0; j < PANEL; j++) sum[j] += one[i + j] * other[i + j];
    for (int64_t i = even; i < size; i++) rest += one[i] * other[i];
    for (int half = PANEL / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    return sum[0] + rest;
}

/* `recall` for the newest state alone, of contexts each in its own place: what was read
   after states like it, (B, I). Scratch has room for whole(longest, 16) floats. */
void recall_newest(const float *const *states, const float *const *read,
                   const int64_t *lengths, int64_t num_contexts, int64_t size,
                   int64_t num_inputs, const float *asked, float *scratch, float *what)
{
    memset(what, 0, num_contexts * num_inputs * sizeof(float));
    for (int64_t b = 0; b < num_contexts; b++) {
        int64_t past = lengths[b] - 1;
        float *restrict sum = what + b * num_inputs;
        for (int64_t s = 0; s < past; s++)
            scratch[s] = product_of(asked + b * size, states[b] + s * size, size);
        softmax(scratch, past, whole(past, PANEL));
        for (int64_t s = 0; s < past; s++) {
            const float *restrict row = read[b] + (s + 1) * num_inputs;
            for (int64_t i = 0; i < num_inputs; i++) sum[i] += scratch[s] * row[i];
        }
    }
}

#define LONGEST_MATCH 8

typedef struct {
    float step, same, never;       /* a loss for each step; the cosine of one item */
    float match[LONGEST_MATCH];
} copying;

/* `nextvec.training.models.items.Copying.weigh` after the last vector: weights (B, T).
   Of keys products count with what is asked; `start` is what all places have. */
void weigh_copies(const float *const *contexts, const float *const *keys,
                  const int64_t *lengths, int64_t num_contexts, int64_t width,
                  int64_t dim, int64_t key_size, const copying *rule,
                  const float *asked, const float *start, float *weights)
{
    for (int64_t b = 0; b < num_contexts; b++) {
        const float *context = contexts[b];
        int64_t last = lengths[b] - 1;
        float *weight = weights + b * width;
        for (int64_t t = 0; t < width; t++) weight[t] = rule->never;
        for (int64_t t = 0; t < last; t++) {
            float sum = start[b] + rule->step * (float)(last - t);
            if (key_size > 0)
                sum += product_of(asked + b * key_size, keys[b] + t * key_size, key_size);
            for (int64_t back = 0; back < LONGEST_MATCH && back <= t; back++) {
                const float *one = context + (last - back) * dim;
                if (product_of(one, context + (t - back) * dim, dim) < rule->same) break;
                sum += rule->match[back];
            }
            /* what is told of a place is about the item after it */
            weight[t + 1] = sum;
        }
    }
}

/* Bytes that `weigh_places` works in. */
int64_t places_scratch(const matrix *here, const matrix *now)
{
    return sizeof(float) * ((ROWS + 1) * here->outputs + ROWS * here->inputs +
                            now->inputs);
}

/* `nextvec.training.models.place_head.PlaceHead`: vectors (B, D). A row of `here` is the
   figures of a place, then its features; `out` is (3, hidden) and three biases. */
void weigh_places(const matrix *here, const matrix *now, const float *out,
                  const float *context, const float *base, const float *figures,
                  const float *features, const int64_t *lengths, int64_t num_contexts,
                  int64_t width, int64_t dim, int64_t num_figures, int64_t num_features,
                  int64_t hidden, float each_new, float *scratch, float *vectors)
{
    float *given = scratch, *told = given + ROWS * here->inputs;
    float *whole_told = told + ROWS * here->outputs;
    float *newest = whole_told + here->outputs;
    memset(scratch, 0, places_scratch(here, now));
    memset(vectors, 0, num_contexts * dim * sizeof(float));
    for (int64_t b = 0; b < num_contexts; b++) {
        const float *own = features + b * width * num_features;
        float *restrict vector = vectors + b * dim;
        memcpy(newest, own + (lengths[b] - 1) * num_features,
               num_features * sizeof(float));
        multiply(now, newest, NULL, NULL, 1, whole_told);
        for (int64_t first = 0; first < lengths[b]; first += ROWS) {
            int64_t left = lengths[b] - first;
            int count = left < ROWS ? (int)left : ROWS;
            for (int r = 0; r < count; r++) {
                float *row = given + r * here->inputs;
                memcpy(row, figures + (b * width + first + r) * num_figures,
                       num_figures * sizeof(float));
                memcpy(row + num_figures, own + (first + r) * num_features,
                       num_features * sizeof(float));
            }
            multiply(here, given, NULL, NULL, count, told);
            for (int r = 0; r < count; r++) {
                float *restrict unit = told + r * here->outputs;
                for (int64_t j = 0; j < here->outputs; j++)
                    unit[j] = 1.0f - 2.0f / (1.0f + exponential(2.0f * (unit[j] +
                                                                    whole_told[j])));
                float change[3];
                for (int c = 0; c < 3; c++)
                    change[c] = product_of(out + c * hidden, unit, hidden) +
                                out[3 * hidden + c];
                const float *two = base + (b * width + first + r) * 2;
                float weight = two[0] * (1.0f + change[0]) + two[1] * (1.0f + change[1]) +
                               each_new * change[2];
                const float *restrict place = context + (b * width + first + r) * dim;
                for (int64_t i = 0; i < dim; i++) vector[i] += weight * place[i];
            }
        }
        float length = sqrtf(product_of(vector, vector, dim));
        float scale = 1.0f / (length > 1e-12f ? length : 1e-12f);
        for (int64_t i = 0; i < dim; i++) vector[i] *= scale;
    }
}

/* ---- what is told of a context of documents -------------------------------------- */

#define FIGURES 22
#define LEAST_SQUARE 1e-24f

typedef struct {
    float sharp, wide;       /* how fast kernels of the figures fall */
    float tau, gain, cap;    /* of the memory of the closed form */
} rule;

static float norm(float square)
{
    return sqrtf(square > LEAST_SQUARE ? square : LEAST_SQUARE);
}

static float sum_of_products(const float *one, const float *other, int64_t size)
{
    float sum = 0.0f;
    for (int64_t i = 0; i < size; i++) sum += one[i] * other[i];
    return sum;
}

/* Goes once over the products of a context, symmetric: everything it finds are columns,
   so that no loop waits for a sum. */
static void sweep(float *product, int64_t length, int64_t width, const float *weights,
                  int64_t num_sums, const float *each, int64_t num_rates,
                  float *restrict nearest, float *restrict earlier, float *toward,
                  float *squares)
{
    float *restrict first = nearest, *restrict second = nearest + width;
    float *restrict third = nearest + 2 * width;
    for (int64_t j = 0; j < 3 * width; j++) nearest[j] = -1.0f;
    memset(earlier, 0, width * sizeof(float));
    memset(toward, 0, num_sums * width * sizeof(float));
    memset(squares, 0, num_rates * width * sizeof(float));
    for (int64_t i = 0; i < length; i++) {
        float *restrict row = product + i * width;
        float itself = row[i];
        /* a place does not compare with itself */
        row[i] = -2.0f;
        for (int64_t j = 0; j < length; j++) {
            float one = row[j];
            float low = one < first[j] ? one : first[j];
            first[j] = one > first[j] ? one : first[j];
            float lower = low < second[j] ? low : second[j];
            second[j] = low > second[j] ? low : second[j];
            third[j] = lower > third[j] ? lower : third[j];
        }
        row[i] = itself;
        for (int64_t j = i + 1; j < length; j++)
            earlier[j] = row[j] > earlier[j] ? row[j] : earlier[j];
        for (int64_t c = 0; c < num_sums; c++) {
            float weight = weights[c * width * width + i];
            float *restrict sum = toward + c * width;
            for (int64_t j = 0; j < length; j++) sum[j] += weight * row[j];
        }
        for (int64_t r = 0; r < num_rates; r++) {
            const float *restrict part = each + (r * width + i) * width;
            float *restrict sum = squares + r * width;
            for (int64_t j = i; j < length; j++) sum[j] += part[j] * row[j];
        }
    }
}

/* Cosine of the state at each place with the last: in the place of `toward`. */
static void alike(float *toward, float *squares, const float *fresh, int64_t length)
{
    float product = 0.0f, square = 0.0f;
    for (int64_t i = 0; i < length; i++) {
        float new = fresh[i], kept = 1.0f - fresh[i];
        product = kept * product + new * toward[i];
        square = kept * kept * square + squares[i];
        toward[i] = product;
        squares[i] = norm(square);
    }
    float last = squares[length - 1];
    for (int64_t i = 0; i < length; i++) {
        float cosine = toward[i] / (squares[i] * last);
        toward[i] = cosine > 1.0f ? 1.0f : cosine < -1.0f ? -1.0f : cosine;
    }
}

/* Floats that `describe_contexts` works in. */
int64_t describe_scratch(int64_t width, int64_t num_sums, int64_t num_rates)
{
    return (3 + 1 + num_sums + num_rates) * width;
}

/* `nextvec.training.models.similarities.describe`, which says what each figure is.

   products (B, T, T); sums (C, T, T), each (R, T, T), fresh (R, T) as its constants;
   figures (B, T, 22), base (B, T, 2). With a memory C is 6 and R is 3, else 5 and 2. */
void describe_contexts(float *products, const int64_t *lengths, const float *sums,
                       const float *each, const float *fresh, int64_t num_contexts,
                       int64_t width, int64_t num_sums, int64_t num_rates,
                       const rule *rule, float *scratch, float *figures, float *base)
{
    float *nearest = scratch, *earlier = nearest + 3 * width;
    float *toward = earlier + width, *squares = toward + num_sums * width;
    int64_t most = width < 3 ? width : 3;
    memset(figures, 0, num_contexts * width * FIGURES * sizeof(float));
    memset(base, 0, num_contexts * width * 2 * sizeof(float));
    for (int64_t b = 0; b < num_contexts; b++) {
        int64_t length = lengths[b];
        float *product = products + b * width * width;
        const float *own = sums + (length - 1) * width;
        const float *slow_weights = own + width * width;
        const float *mean_weights = own + 4 * width * width;
        sweep(product, length, width, own, num_sums, each, num_rates, nearest, earlier,
              toward, squares);
        for (int64_t r = 0; r < num_rates; r++)
            alike(toward + (r < 2 ? 2 + r : 5) * width, squares + r * width,
                  fresh + r * width, length);
        const float *mean = toward, *slow = toward + width;
        const float *state = toward + 2 * width, *other = toward + 3 * width;
        const float *newest = product + (length - 1) * width;
        float mean_norm = norm(sum_of_products(mean, own, length));
        float slow_norm = norm(sum_of_products(slow, slow_weights, length));
        float total = 0.0f;
        for (int64_t i = 0; i < length; i++) {
            float *at = figures + (b * width + i) * FIGURES;
            float lag = (float)(length - 1 - i), sum = 0.0f;
            int has_second = length > 1, has_third = length > 2;
            const float *row = product + i * width;
            for (int64_t n = 0; n < most; n++) sum += nearest[n * width + i];
            at[0] = log1pf(lag) / 3.0f;
            at[1] = exponential(-lag / 3.0f);
            at[2] = newest[i];
            at[3] = i > 0 ? newest[i - 1] : 0.0f;
            at[4] = has_second && i > 1 ? newest[i - 2 - width] : 0.0f;
            at[5] = has_third && i > 2 ? newest[i - 3 - 2 * width] : 0.0f;
            at[6] = i > 1 ? newest[i - 2] : 0.0f;
            at[7] = i + 1 < length ? newest[i + 1] : 0.0f;
            at[8] = has_second ? newest[i - width] : 0.0f;
            at[9] = i > 0 ? row[i - 1] : 0.0f;
            at[10] = i + 1 < length ? row[i + 1] : 0.0f;
            at[11] = nearest[i];
            at[12] = sum / (float)most;
            at[13] = earlier[i];
            at[14] = i > 0 ? state[i - 1] : 0.0f;
            at[15] = i > 0 ? exponential((at[14] - 1.0f) / rule->sharp) : 0.0f;
            total += at[15];
            at[16] = exponential((at[14] - 1.0f) / rule->wide);
            at[17] = i > 0 ? other[i - 1] : 0.0f;
            at[18] = i > 1 ? exponential((at[3] + at[4] - 2.0f) / rule->wide) : 0.0f;
            at[19] = i > 0 ? exponential((at[3] - 1.0f) / rule->sharp) : 0.0f;
            at[20] = mean[i] / mean_norm;
            at[21] = slow[i] / slow_norm;
        }
        total = total > rule->sharp / 10.0f ? total : rule->sharp / 10.0f;
        for (int64_t i = 0; i < length; i++)
            figures[(b * width + i) * FIGURES + 15] /= total;
        float *weight = base + b * width * 2;
        float base_norm =
            norm(sum_of_products(toward + 4 * width, mean_weights, length));
        for (int64_t i = 0; i < length; i++) weight[2 * i] = mean_weights[i] / base_norm;
        if (num_rates < 3) continue;
        const float *remembered = toward + 5 * width;
        total = 0.0f;
        for (int64_t i = 1; i < length; i++) {
            /* what is remembered of a state is the vector after it */
            weight[2 * i + 1] = exponential((remembered[i - 1] - 1.0f) / rule->tau);
            total += weight[2 * i + 1];
        }
        total = total > rule->cap ? total : rule->cap;
        for (int64_t i = 1; i < length; i++) weight[2 * i + 1] *= rule->gain / total;
    }
}
