/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded, it gives the BPF map of number SMALL_MAP, from 0, or of that name, room for SMALL_MAP_ROOM entries, or
 * one, or a ring buffer one page, and says which on standard error; where there is none the program ends with status 99. Left out are task
 * storage, whose room is the kernel's matter, and arrays whose length is part of the plan: which a longer one is
 * mapped for, or filled before anything is measured.
 */
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_of_interest(const struct bpf_map *map)
{
	enum bpf_map_type type = bpf_map__type(map);

	return type != BPF_MAP_TYPE_TASK_STORAGE && !bpf_map__is_internal(map) &&
	       !(bpf_map__map_flags(map) & BPF_F_MMAPABLE) && bpf_map__max_entries(map) > 1;
}

int bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton)
{
	int (*load)(struct bpf_object_skeleton * loaded) =
		(int (*)(struct bpf_object_skeleton *))dlsym(RTLD_NEXT,
							     "bpf_object__load_skeleton");
	const char *text = getenv("SMALL_MAP");
	const char *room = getenv("SMALL_MAP_ROOM");
	unsigned long left = text ? strtoul(text, NULL, 10) : 0;
	bool is_name = text && !isdigit((unsigned char)*text);
	struct bpf_map *map;

	bpf_object__for_each_map(map, *skeleton->obj)
	{
		if (!is_of_interest(map) ||
		    (is_name ? strcmp(bpf_map__name(map), text) != 0 : left--))
			continue;
		fprintf(stderr, "small map: %s\n", bpf_map__name(map));
		bpf_map__set_max_entries(map, bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF
						      ? (unsigned int)sysconf(_SC_PAGESIZE)
					      : room ? (unsigned int)strtoul(room, NULL, 10)
						     : 1);
		return load(skeleton);
	}
	_exit(99);
}
