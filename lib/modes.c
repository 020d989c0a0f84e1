/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns where a distribution has its modes.
 *
 * The density is taken per octave, on a logarithmic axis: there a log-normal, exponential or
 * Pareto distribution is one hump with a long flank. Every local peak begins as a mode; then the
 * two neighbours with the weakest valley between them are joined, again and again, until each
 * valley left is a clear one on both sides.
 *
 * How clear a valley is follows the multiscale idea of Duembgen and Walther, "Multiscale inference
 * about a density", Annals of Statistics 36 (2008): look at two adjoining windows, one in the
 * valley and one on the peak, of every width, for the pair that speaks most against "no rise
 * here". With v and p counts in windows of widths wv and wp, and the peak's density at most R
 * times the valley's, p of the v + p counts fell into the peak's window with a chance below
 * exp(-(v + p) KL(p / (v + p), f)), f = R wp / (wv + R wp): Chernoff's bound on the binomial tail.
 * One number so weighs depth (with many counts) and noise (with few), and a monotone tail of any
 * weight cannot pass but by chance.
 */
#include "histogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS_PER_OCTAVE 8
#define OCTAVES 160 /* of the axis; from 2^-80 */
#define BINS (BINS_PER_OCTAVE * OCTAVES)
#define AXIS_START (-OCTAVES / 2.0)
#define PEAKS_MAX (BINS / 2 + 1) /* local peaks are at least two bins apart */
#define PEAK_OVER_VALLEY 1.5	 /* R: what is less deep is not a valley */
#define CLEAR_EVIDENCE 7.0	 /* -ln of the chance of one pair of windows: 1e-3 */
#define FEWEST 10		 /* values in a mode */
#define SMALLEST_SHARE 0.002
#define LATTICE_END 256 /* integers below are wider apart than what bins smooth over */

struct axis {
	double mass[BINS];
	double below[BINS + 1]; /* mass of all bins before */
	double smooth[BINS];
	int first; /* bins that may hold mass: first <= i < end */
	int end;
	int zero_end; /* bins of the value zero: first <= i < zero_end */
};

struct peak {
	int at;		 /* bin where it is highest */
	int start;	 /* its first bin; the valley is here, except for the first peak */
	double evidence; /* for the valley at `start` */
};

static double bin_of(double log2_value)
{
	double bin = (log2_value - AXIS_START) * BINS_PER_OCTAVE;

	return bin < 0 ? 0 : bin > BINS ? BINS : bin;
}

static double value_of(double bin)
{
	return exp2(bin / BINS_PER_OCTAVE + AXIS_START);
}

/* Spreads a count evenly over the axis between two positions. */
static void spread(struct axis *axis, double from, double to, double count)
{
	int i = (int)from < BINS ? (int)from : BINS - 1;

	if (to - from < 1e-6) {
		axis->mass[i] += count;
		return;
	}
	for (; i < BINS && i < to; i++) {
		double part = fmin(i + 1, to) - fmax(i, from);

		axis->mass[i] += count * part / (to - from);
	}
}

/* Small integers leave gaps on a logarithmic axis that mean nothing: each stands for the interval
 * half a unit around it, and zero for the octave below. */
static void fill(struct axis *axis, const struct probekit_histogram *h, double unit)
{
	double log_unit = log2(unit);

	if (h->zero_count)
		spread(axis, bin_of(-2 - log_unit), bin_of(-1 - log_unit), (double)h->zero_count);
	for (size_t i = 0; i < h->size; i++) {
		double from = histogram_lower(h->index[i], h->scale);
		double to = histogram_upper(h->index[i], h->scale);
		/* 1e-9: a bound that is an integer number of units must floor to it */
		double lowest = floor(from * unit * (1 + 1e-9));
		double highest = floor(to * unit * (1 + 1e-9));

		if (lowest < LATTICE_END && highest > lowest) {
			from = (lowest + 0.5) / unit;
			to = (highest + 0.5) / unit;
		}
		spread(axis, bin_of(log2(from)), bin_of(log2(to)), (double)h->count[i]);
	}
}

static void finish_axis(struct axis *axis)
{
	axis->first = BINS;
	for (int i = 0; i < BINS; i++) {
		double before = i > 0 ? axis->mass[i - 1] : 0;
		double after = i + 1 < BINS ? axis->mass[i + 1] : 0;

		axis->below[i + 1] = axis->below[i] + axis->mass[i];
		axis->smooth[i] = before / 4 + axis->mass[i] / 2 + after / 4;
		if (axis->smooth[i] > 0) {
			axis->first = i < axis->first ? i : axis->first;
			axis->end = i + 1;
		}
	}
}

/* Fills `peaks` with every local maximum of the smoothed density. */
static size_t find_peaks(const struct axis *axis, struct peak *peaks)
{
	size_t size = 0;
	bool is_rising = true;

	for (int i = axis->first; i < axis->end; i++) {
		double next = i + 1 < axis->end ? axis->smooth[i + 1] : 0;

		if (next > axis->smooth[i]) {
			is_rising = true;
		} else if (next < axis->smooth[i] && is_rising) {
			peaks[size++] = (struct peak){.at = i};
			is_rising = false;
		}
	}
	return size;
}

/* Evidence that the density rises from the window [valley, edge) to [edge, peak), or, mirrored,
 * from [edge, valley) to [peak, edge). */
static double rise(const struct axis *axis, int valley, int edge, int peak)
{
	double v = fabs(axis->below[edge] - axis->below[valley]);
	double p = fabs(axis->below[peak] - axis->below[edge]);
	double wv = abs(edge - valley);
	double wp = PEAK_OVER_VALLEY * abs(peak - edge);
	double n = v + p;

	if (p * wv <= v * wp)
		return 0;
	return p * log(p / n * (wv + wp) / wp) + (v > 0 ? v * log(v / n * (wv + wp) / wv) : 0);
}

/* 1, 2, 3, 4, 6, 9, 13, ... */
static int wider(int width)
{
	return width + (width + 1) / 2;
}

/* The strongest rise at any place from the bin `from` towards the peak at `to` (whose mode
 * reaches to the edge `limit`), over windows of all widths; `to` may lie on either side. */
static double strongest_rise(const struct axis *axis, int from, int to, int limit)
{
	int step = to > from ? 1 : -1;
	double best = 0;

	for (int edge = from + step; edge != to + step; edge += step) {
		for (int wv = 1; wv <= (edge - from) * step; wv = wider(wv)) {
			for (int wp = 1; wp <= (limit - edge) * step; wp = wider(wp)) {
				double found = rise(axis, edge - step * wv, edge, edge + step * wp);

				best = found > best ? found : best;
			}
		}
	}
	return best;
}

/* Middle of the longest run of the lowest density between two peaks. */
static int lowest_between(const struct axis *axis, int left, int right)
{
	double lowest = INFINITY;
	int run = 0;
	int best_run = 0;
	int best = right;

	for (int i = left + 1; i < right; i++) {
		if (axis->smooth[i] < lowest) {
			lowest = axis->smooth[i];
			run = 0;
			best_run = 0;
		}
		run = axis->smooth[i] > lowest ? 0 : run + 1;
		if (run > best_run) {
			best_run = run;
			best = i + 1 - (run + 1) / 2;
		}
	}
	return best;
}

static int end_of(const struct axis *axis, const struct peak *peaks, size_t size, size_t i)
{
	return i + 1 < size ? peaks[i + 1].start : axis->end;
}

/* Places and weighs the valley before peak i > 0. Edges lie at the lower end of a bin. */
static void weigh(const struct axis *axis, struct peak *peaks, size_t size, size_t i)
{
	struct peak *left = &peaks[i - 1];
	struct peak *right = &peaks[i];
	double up;
	double down;

	right->start = lowest_between(axis, left->at, right->at);
	up = strongest_rise(axis, left->at, right->at, end_of(axis, peaks, size, i));
	down = strongest_rise(axis, right->at + 1, left->at + 1, left->start);
	right->evidence = up < down ? up : down;
}

/* Joins peak i > 0 with the one before. */
static size_t join(const struct axis *axis, struct peak *peaks, size_t size, size_t i)
{
	if (axis->smooth[peaks[i].at] > axis->smooth[peaks[i - 1].at])
		peaks[i - 1].at = peaks[i].at;
	memmove(&peaks[i], &peaks[i + 1], (size - i - 1) * sizeof(*peaks));
	size--;
	if (i - 1 > 0)
		weigh(axis, peaks, size, i - 1);
	if (i < size)
		weigh(axis, peaks, size, i);
	return size;
}

/* The valley to give up next: the weakest unclear one, or else one beside a mode that is too small;
 * 0 when there is none. */
static size_t valley_to_join(const struct axis *axis, const struct peak *peaks, size_t size)
{
	double fewest = fmax(FEWEST, SMALLEST_SHARE * axis->below[BINS]);
	size_t weakest = 0;

	for (size_t i = 1; i < size; i++)
		if (peaks[i].evidence < CLEAR_EVIDENCE &&
		    (!weakest || peaks[i].evidence < peaks[weakest].evidence))
			weakest = i;
	for (size_t i = 0; !weakest && size > 1 && i < size; i++) {
		int end = end_of(axis, peaks, size, i);

		if (axis->below[end] - axis->below[peaks[i].start] >= fewest - 0.5)
			continue;
		if (i == 0 || (i + 1 < size && peaks[i + 1].evidence < peaks[i].evidence))
			weakest = i + 1;
		else
			weakest = i;
	}
	return weakest;
}

static size_t separate(const struct axis *axis, struct peak *peaks)
{
	size_t size = find_peaks(axis, peaks);
	size_t i;

	/* The starts first: a valley is weighed against the mode's whole extent. */
	peaks[0].start = axis->first;
	for (i = 1; i < size; i++)
		peaks[i].start = lowest_between(axis, peaks[i - 1].at, peaks[i].at);
	for (i = 1; i < size; i++)
		weigh(axis, peaks, size, i);
	while ((i = valley_to_join(axis, peaks, size)) > 0)
		size = join(axis, peaks, size, i);
	return size;
}

/* Centre of mass of the bins around a peak. */
static double centre(const struct axis *axis, int at)
{
	double mass = 0;
	double moment = 0;

	if (at < axis->zero_end)
		return 0;
	for (int i = at > 0 ? at - 1 : 0; i <= at + 1 && i < BINS; i++) {
		mass += axis->mass[i];
		moment += axis->mass[i] * (i + 0.5);
	}
	return value_of(mass > 0 ? moment / mass : at + 0.5);
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

static void describe(const struct probekit_probe *probe, const struct axis *axis,
		     const struct peak *peaks, size_t size, size_t i, struct probekit_mode *mode)
{
	double unit = probe->kind == PROBEKIT_KIND_VALUE ? 1 : 1e9;
	double negative = (double)probe->histogram.negative_count;
	int end = end_of(axis, peaks, size, i);
	double count = axis->below[end] - axis->below[peaks[i].start] + (i == 0 ? negative : 0);
	double low = (double)probe->min;
	double high = (double)probe->max;

	mode->at = clamp(centre(axis, peaks[i].at) * unit, low, high);
	mode->from = i == 0 ? low : clamp(value_of(peaks[i].start) * unit, low, high);
	mode->to = i + 1 == size ? high : clamp(value_of(end) * unit, low, high);
	mode->share = count / (axis->below[BINS] + negative);
}

size_t probekit_probe_modes(const struct probekit_probe *probe, struct probekit_mode *modes,
			    size_t capacity)
{
	const struct probekit_histogram *h = &probe->histogram;
	double unit = probe->kind == PROBEKIT_KIND_VALUE ? 1 : 1e9;
	struct axis axis = {0};
	struct peak peaks[PEAKS_MAX];
	size_t size;

	if (h->size == 0 && h->zero_count == 0) {
		/* Of negative values nothing but their range is known. */
		if (h->negative_count && capacity)
			modes[0] =
				(struct probekit_mode){probekit_probe_quantile(probe, 0.5),
						       (double)probe->min, (double)probe->max, 1};
		return h->negative_count > 0;
	}
	fill(&axis, h, unit);
	if (h->zero_count)
		axis.zero_end = (int)ceil(bin_of(-1 - log2(unit)));
	finish_axis(&axis);
	size = separate(&axis, peaks);
	for (size_t i = 0; i < size && i < capacity; i++)
		describe(probe, &axis, peaks, size, i, &modes[i]);
	return size;
}
