/* SPDX-License-Identifier: BSD-2-Clause */
#include "retired_futexes.h"

#include <errno.h>
#include <stdlib.h>

/* ---- marks ---- */

int futex_marks_add(struct futex_marks *marks, const struct futex_key *key, uint64_t ns)
{
	if (marks->size == marks->capacity) {
		size_t capacity = marks->capacity ? 2 * marks->capacity : 16;
		struct futex_mark *grown = reallocarray(marks->items, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		marks->items = grown;
		marks->capacity = capacity;
	}
	marks->items[marks->size++] = (struct futex_mark){.key = *key, .ns = ns};
	return 0;
}

void futex_marks_sort(struct futex_marks *marks)
{
	if (marks->size)
		qsort(marks->items, marks->size, sizeof(*marks->items), futex_by_key);
}

bool futex_marks_has(const struct futex_marks *marks, const struct futex_mark *mark)
{
	const struct futex_mark *then = NULL;

	if (marks->size)
		then = bsearch(mark, marks->items, marks->size, sizeof(*mark), futex_by_key);
	return then && then->ns == mark->ns;
}

void futex_marks_done(struct futex_marks *marks)
{
	free(marks->items);
	*marks = (struct futex_marks){0};
}

/* ---- rows ---- */

int retired_futexes_add(struct retired_futexes *retired, const struct futex_history *taken,
			struct futex_history *before)
{
	struct futex_history *rows = &retired->rows;
	size_t known = rows->size;
	int result = 0;

	for (size_t i = 0; i < taken->size && !result; i++) {
		const struct futex_history sorted = {.items = rows->items, .size = known};
		const struct counted_futex *item = &taken->items[i];
		struct counted_futex *then = futex_history_find(&sorted, &item->key);

		if (then)
			futex_row_add(&then->row, &item->row);
		else
			result = futex_history_add(rows, &item->key, &item->row);
	}
	futex_history_sort(rows);
	return result ? result : futex_history_fold(rows, MAX_RETIRED, before);
}

void retired_futexes_done(struct retired_futexes *retired)
{
	futex_history_done(&retired->rows);
	futex_marks_done(&retired->marks);
}
