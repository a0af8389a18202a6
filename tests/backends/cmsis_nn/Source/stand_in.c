/* SPDX-License-Identifier: 0BSD */
/*
 * What the functions of CMSIS-NN that generated code calls are documented to compute, written anew
 * and slowly, for tests. Outputs are made in an order that no caller may count on, last one first
 * and channel by channel, and buffers are written over from their first byte to the last one that
 * the library wants. Where it would round an intermediate result, so does this.
 */
#include <string.h>

#include "arm_nnfunctions.h"

#ifndef CMSIS_NN_USE_SINGLE_ROUNDING
#error "the stand-in knows one rounding only"
#endif

#define SPOILT (0xA5)

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE != 0)
#define COLUMNS(taps) (4 * (((taps) + 15) / 16 * 16))
#define DEPTHWISE(taps, channels) (4 * 124 * (taps))
#define DIRECT (0)
#elif defined(__ARM_FEATURE_DSP)
#define COLUMNS(taps) (4 * (((taps) + 3) / 4 * 4))
#define DEPTHWISE(taps, channels) (2 * (taps) * (channels))
#define DIRECT (1)
#else
#define COLUMNS(taps) (4 * (((taps) + 3) / 4 * 4))
#define DEPTHWISE(taps, channels) (0 * (taps) * (channels))
#define DIRECT (1)
#endif

/* value * multiplier * 2^(shift - 31), halves up: of 64 bits all that a result of 32 has. */
static int32_t requantized(int32_t value, int32_t multiplier, int32_t shift)
{
    const int64_t product = (int64_t)value * multiplier;
    const int32_t twice = (int32_t)(product >> (30 - shift));

    return (twice + 1) >> 1;
}

static int8_t limited(int32_t value, int32_t low, int32_t high)
{
    const int32_t above = (value < low) ? low : value;

    return (int8_t)((above > high) ? high : above);
}

static void spoil(const cmsis_nn_context *ctx, int32_t bytes)
{
    if (bytes > 0) {
        (void)memset(ctx->buf, SPOILT, (size_t)bytes);
    }
}

/* One output of a convolution; `groups` of a depthwise one, which has its taps elsewhere. */
static int32_t sum_of(const cmsis_nn_conv_params *params, const cmsis_nn_dims *input,
                      const int8_t *data, const cmsis_nn_dims *filter, const int8_t *weights,
                      int32_t y, int32_t x, int32_t channel, int32_t per_input)
{
    const int32_t first = (per_input > 0) ? (channel / per_input) : 0;
    const int32_t count = (per_input > 0) ? 1 : input->c;
    int32_t sum = 0;

    for (int32_t i = 0; i < filter->h; i++) {
        for (int32_t j = 0; j < filter->w; j++) {
            const int32_t row = (y * params->stride.h) - params->padding.h + (i * params->dilation.h);
            const int32_t col = (x * params->stride.w) - params->padding.w + (j * params->dilation.w);

            if ((row < 0) || (row >= input->h) || (col < 0) || (col >= input->w)) {
                continue;
            }
            for (int32_t k = 0; k < count; k++) {
                const int32_t value = data[(((row * input->w) + col) * input->c) + first + k];
                const int32_t tap = (i * filter->w) + j;
                const int32_t weight =
                    (per_input > 0)
                        ? weights[(tap * filter->c) + channel]
                        : weights[(((channel * filter->h * filter->w) + tap) * input->c) + k];

                sum += (value + params->input_offset) * weight;
            }
        }
    }
    return sum;
}

static void convolve(const cmsis_nn_conv_params *params,
                     const cmsis_nn_per_channel_quant_params *quant, const cmsis_nn_dims *input,
                     const int8_t *data, const cmsis_nn_dims *filter, const int8_t *weights,
                     const int32_t *bias, const cmsis_nn_dims *output, int8_t *out,
                     int32_t per_input)
{
    for (int32_t channel = output->c - 1; channel >= 0; channel--) {
        for (int32_t at = (output->h * output->w) - 1; at >= 0; at--) {
            const int32_t sum = bias[channel] + sum_of(params, input, data, filter, weights,
                                                       at / output->w, at % output->w, channel,
                                                       per_input);
            const int32_t result =
                requantized(sum, quant->multiplier[channel], quant->shift[channel]);

            out[(at * output->c) + channel] = limited(
                result + params->output_offset, params->activation.min, params->activation.max);
        }
    }
}

int32_t arm_convolve_wrapper_s8_get_buffer_size(const cmsis_nn_conv_params *conv_params,
                                                const cmsis_nn_dims *input_dims,
                                                const cmsis_nn_dims *filter_dims,
                                                const cmsis_nn_dims *output_dims)
{
    const int single = (filter_dims->w == 1) && (filter_dims->h == 1) &&
                       (conv_params->padding.w == 0) && (conv_params->padding.h == 0) &&
                       (conv_params->stride.w == 1) && (conv_params->stride.h == 1) &&
                       (conv_params->dilation.w == 1) && (conv_params->dilation.h == 1);

    (void)output_dims;
    return single ? 0 : COLUMNS(input_dims->c * filter_dims->w * filter_dims->h);
}

arm_cmsis_nn_status arm_convolve_wrapper_s8(const cmsis_nn_context *ctx,
                                            const cmsis_nn_conv_params *conv_params,
                                            const cmsis_nn_per_channel_quant_params *quant_params,
                                            const cmsis_nn_dims *input_dims,
                                            const int8_t *input_data,
                                            const cmsis_nn_dims *filter_dims,
                                            const int8_t *filter_data,
                                            const cmsis_nn_dims *bias_dims,
                                            const int32_t *bias_data,
                                            const cmsis_nn_dims *output_dims, int8_t *output_data)
{
    if ((input_dims->n != 1) || (filter_dims->c != input_dims->c) ||
        (bias_dims->c != output_dims->c) || (filter_dims->n != output_dims->c)) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    spoil(ctx, arm_convolve_wrapper_s8_get_buffer_size(conv_params, input_dims, filter_dims,
                                                       output_dims));
    convolve(conv_params, quant_params, input_dims, input_data, filter_dims, filter_data, bias_data,
             output_dims, output_data, 0);
    return ARM_CMSIS_NN_SUCCESS;
}

int32_t arm_depthwise_conv_wrapper_s8_get_buffer_size(const cmsis_nn_dw_conv_params *dw_conv_params,
                                                      const cmsis_nn_dims *input_dims,
                                                      const cmsis_nn_dims *filter_dims,
                                                      const cmsis_nn_dims *output_dims)
{
    const int direct = DIRECT && (filter_dims->w == 3) && (filter_dims->h == 3) &&
                       (dw_conv_params->padding.h <= 1) && (dw_conv_params->padding.w <= 1);
    const int plain = (input_dims->c == output_dims->c) && (dw_conv_params->dilation.w == 1) &&
                      (dw_conv_params->dilation.h == 1);

    return (plain && !direct) ? DEPTHWISE(filter_dims->w * filter_dims->h, input_dims->c) : 0;
}

arm_cmsis_nn_status arm_depthwise_conv_wrapper_s8(
    const cmsis_nn_context *ctx, const cmsis_nn_dw_conv_params *dw_conv_params,
    const cmsis_nn_per_channel_quant_params *quant_params, const cmsis_nn_dims *input_dims,
    const int8_t *input_data, const cmsis_nn_dims *filter_dims, const int8_t *filter_data,
    const cmsis_nn_dims *bias_dims, const int32_t *bias_data, const cmsis_nn_dims *output_dims,
    int8_t *output_data)
{
    const cmsis_nn_conv_params params = {
        .input_offset = dw_conv_params->input_offset,
        .output_offset = dw_conv_params->output_offset,
        .stride = dw_conv_params->stride,
        .padding = dw_conv_params->padding,
        .dilation = dw_conv_params->dilation,
        .activation = dw_conv_params->activation,
    };

    if ((filter_dims->c != output_dims->c) || (bias_dims->c != output_dims->c) ||
        ((dw_conv_params->ch_mult * input_dims->c) != output_dims->c)) {
        return ARM_CMSIS_NN_ARG_ERROR;
    }
    spoil(ctx, arm_depthwise_conv_wrapper_s8_get_buffer_size(dw_conv_params, input_dims,
                                                             filter_dims, output_dims));
    convolve(&params, quant_params, input_dims, input_data, filter_dims, filter_data, bias_data,
             output_dims, output_data, dw_conv_params->ch_mult);
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_max_pool_s8(const cmsis_nn_context *ctx,
                                    const cmsis_nn_pool_params *pool_params,
                                    const cmsis_nn_dims *input_dims, const int8_t *input_data,
                                    const cmsis_nn_dims *filter_dims,
                                    const cmsis_nn_dims *output_dims, int8_t *output_data)
{
    (void)ctx;
    for (int32_t at = (output_dims->h * output_dims->w * input_dims->c) - 1; at >= 0; at--) {
        const int32_t channel = at % input_dims->c;
        const int32_t pixel = at / input_dims->c;
        const int32_t y = ((pixel / output_dims->w) * pool_params->stride.h) - pool_params->padding.h;
        const int32_t x = ((pixel % output_dims->w) * pool_params->stride.w) - pool_params->padding.w;
        int32_t most = -129;

        for (int32_t i = y; i < (y + filter_dims->h); i++) {
            for (int32_t j = x; j < (x + filter_dims->w); j++) {
                if ((i >= 0) && (i < input_dims->h) && (j >= 0) && (j < input_dims->w)) {
                    const int32_t value =
                        input_data[(((i * input_dims->w) + j) * input_dims->c) + channel];

                    most = (value > most) ? value : most;
                }
            }
        }
        if (most < -128) {
            return ARM_CMSIS_NN_ARG_ERROR; /* nothing of the window lies inside */
        }
        output_data[at] = limited(most, pool_params->activation.min, pool_params->activation.max);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

arm_cmsis_nn_status arm_elementwise_mul_s8(const int8_t *input_1_vect, const int8_t *input_2_vect,
                                           const int32_t input_1_offset,
                                           const int32_t input_2_offset, int8_t *output,
                                           const int32_t out_offset, const int32_t out_mult,
                                           const int32_t out_shift,
                                           const int32_t out_activation_min,
                                           const int32_t out_activation_max,
                                           const int32_t block_size)
{
    for (int32_t i = block_size - 1; i >= 0; i--) {
        const int32_t product =
            (input_1_vect[i] + input_1_offset) * (input_2_vect[i] + input_2_offset);

        output[i] = limited(requantized(product, out_mult, out_shift) + out_offset,
                            out_activation_min, out_activation_max);
    }
    return ARM_CMSIS_NN_SUCCESS;
}
