/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the drawing of two histograms in one: a row for each power-of-two band, whose bar is as long as the
 * longer of both builds' shares. What one build has beyond the other has the mark of that build.
 */
#include <math.h>
#include <string.h>

#include "out_compare_parts.h"

enum {
	MAX_BANDS = 128,  /* 2^-30 s to 2^63 units, and room */
	SHORTEST_GAP = 3, /* shorter runs of empty bands are drawn */
	LEAST_BAR = 8,
	SHARE_WIDTH = 7,
	BOTH = '#',
	BASE_ALONE = '-',
	HEAD_ALONE = '+',
};

#define BELOW "below 0"

/* One build's bands, as parts of all its spans. */
struct side {
	int32_t first; /* 2^first s, or units */
	size_t size;
	double parts[MAX_BANDS];
	double zero;
	double negative;
};

struct overlay {
	FILE *out;
	const struct text_style *style;
	bool is_value;
	struct side base;
	struct side head;
	int label; /* width */
	unsigned int bar;
	double most; /* the largest part */
};

static void measure_side(struct side *side, const struct probekit_histogram *histogram)
{
	const struct probekit_probe probe = {.histogram = *histogram};
	double total = (double)histogram->zero_count + (double)histogram->negative_count;
	uint64_t counts[MAX_BANDS];
	size_t n = probekit_probe_bands(&probe, &side->first, counts, MAX_BANDS);

	side->size = n < MAX_BANDS ? n : MAX_BANDS;
	for (size_t i = 0; i < histogram->size; i++)
		total += (double)histogram->count[i];
	if (total <= 0)
		return;
	for (size_t i = 0; i < side->size; i++)
		side->parts[i] = (double)counts[i] / total;
	side->zero = (double)histogram->zero_count / total;
	side->negative = (double)histogram->negative_count / total;
}

static double part_of(const struct side *side, int64_t band)
{
	return band >= side->first && band < side->first + (int64_t)side->size
		       ? side->parts[band - side->first]
		       : 0;
}

/* Square roots, as in Tukey's rootograms: a hundredth of all spans, a tail, can be seen beside the rest. */
static unsigned int length_of(const struct overlay *overlay, double part)
{
	unsigned int length = (unsigned int)lround(sqrt(part / overlay->most) * overlay->bar);

	return part > 0 && length == 0 ? 1 : length;
}

static void print_marks(const struct overlay *overlay, char mark, unsigned int from,
			unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		fputc(mark, overlay->out);
}

static void print_row(const struct overlay *overlay, const char *label, double base_part,
		      double head_part)
{
	unsigned int base = length_of(overlay, base_part);
	unsigned int head = length_of(overlay, head_part);
	unsigned int both = base < head ? base : head;
	enum text_ink ink = head > base ? INK_WARN : INK_BAR;

	fprintf(overlay->out, "  %*s%*s%*s |", overlay->label, label, SHARE_WIDTH,
		base_part > 0 ? format_share(base_part).text : "", SHARE_WIDTH,
		head_part > 0 ? format_share(head_part).text : "");
	print_marks(overlay, BOTH, 0, both);
	fputs(ink_start(overlay->style, ink), overlay->out);
	print_marks(overlay, BASE_ALONE, both, base);
	print_marks(overlay, HEAD_ALONE, both, head);
	fprintf(overlay->out, "%s\n", ink_stop(overlay->style, ink));
}

static struct format label_of(const struct overlay *overlay, int64_t band)
{
	return overlay->is_value ? format_value_band((int32_t)band)
				 : format_time_band((int32_t)band);
}

/* From the lowest band of either to the highest. */
static void range_of(const struct overlay *overlay, int64_t *first, int64_t *end)
{
	const struct side *sides[] = {&overlay->base, &overlay->head};

	*first = INT32_MAX;
	*end = INT32_MIN;
	for (size_t i = 0; i < 2; i++) {
		int64_t last = sides[i]->first + (int64_t)sides[i]->size;

		if (!sides[i]->size)
			continue;
		*first = sides[i]->first < *first ? sides[i]->first : *first;
		*end = last > *end ? last : *end;
	}
}

static bool is_empty(const struct overlay *overlay, int64_t band)
{
	return part_of(&overlay->base, band) <= 0 && part_of(&overlay->head, band) <= 0;
}

static void measure(struct overlay *overlay, const char *title, int64_t first, int64_t end)
{
	const struct side *sides[] = {&overlay->base, &overlay->head};
	unsigned int used;

	overlay->label = (int)strlen(title);
	if (sides[0]->negative > 0 || sides[1]->negative > 0)
		overlay->label = (int)strlen(BELOW);
	for (size_t i = 0; i < 2; i++)
		overlay->most = fmax(overlay->most, fmax(sides[i]->zero, sides[i]->negative));
	for (int64_t band = first; band < end; band++) {
		int width = (int)strlen(label_of(overlay, band).text);

		overlay->label = width > overlay->label ? width : overlay->label;
		overlay->most = fmax(overlay->most, fmax(part_of(&overlay->base, band),
							 part_of(&overlay->head, band)));
	}
	used = (unsigned int)overlay->label + 2 + 2 * SHARE_WIDTH + 2;
	overlay->bar =
		used + LEAST_BAR > overlay->style->width ? LEAST_BAR : overlay->style->width - used;
}

static void print_bands(const struct overlay *overlay, int64_t first, int64_t end)
{
	for (int64_t band = first; band < end; band++) {
		int64_t next = band;

		while (next < end && is_empty(overlay, next))
			next++;
		if (next - band >= SHORTEST_GAP) {
			fprintf(overlay->out, "  %*s\n", overlay->label, "...");
			band = next;
		}
		print_row(overlay, label_of(overlay, band).text, part_of(&overlay->base, band),
			  part_of(&overlay->head, band));
	}
}

void out_compare_histogram(FILE *out, const struct text_style *style,
			   const struct compare_probe *probe)
{
	struct overlay overlay = {.out = out, .style = style};
	const char *title;
	int64_t first;
	int64_t end;

	overlay.is_value = probe->changes[0]->kind == PROBEKIT_KIND_VALUE;
	title = overlay.is_value ? "value" : "latency";
	measure_side(&overlay.base, &probe->why->base);
	measure_side(&overlay.head, &probe->why->head);
	range_of(&overlay, &first, &end);
	measure(&overlay, title, first, end);
	if (overlay.most <= 0)
		return;
	fprintf(out, "\n  %*s%*s%*s  square roots: %c both, %c base alone, %c head alone\n",
		overlay.label, title, SHARE_WIDTH, "base", SHARE_WIDTH, "head", BOTH, BASE_ALONE,
		HEAD_ALONE);
	if (overlay.base.negative > 0 || overlay.head.negative > 0)
		print_row(&overlay, BELOW, overlay.base.negative, overlay.head.negative);
	if (overlay.base.zero > 0 || overlay.head.zero > 0)
		print_row(&overlay, "0", overlay.base.zero, overlay.head.zero);
	print_bands(&overlay, first, end);
}
