/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values of tunables as people type them, and the files of control groups as a strange kernel could fill them: the first
 * byte says which row of the table, the second which version and file of it, the rest is the file's text.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>

#include "cgroup/tunable.h"

static char place[] = "/tmp/vm-fuzz-tunable.XXXXXX";
static int dir = -1;

static void end(void)
{
	char text[64];

	for (const struct vm_tunable *t = vm_tunables; t->key; t++)
		for (int i = 0; i < 4; i++) {
			const struct vm_tunable_file *f = i < 2 ? &t->v1[i] : &t->v2[i - 2];

			if (f->name) {
				unlinkat(dir, f->name, 0);
				snprintf(text, sizeof(text), "%s.effective", f->name);
				unlinkat(dir, text, 0);
			}
		}
	unlinkat(dir, "memory.max", 0);
	rmdir(place);
}

static void begin(void)
{
	if (!mkdtemp(place))
		abort();
	dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		abort();
	atexit(end);
}

static void put(const char *name, const void *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		abort();
}

/* What was parsed, printed and parsed again is the same. */
static void typed(const struct vm_tunable *t, const char *text)
{
	struct vm_tune_value v = VM_TUNE_VALUE_INIT, again = VM_TUNE_VALUE_INIT;
	struct vm_err err = VM_ERR_INIT;
	char *shown;

	if (vm_tune_value_parse(t, text, &v, &err) < 0) {
		assert(err.kind == VM_USAGE || err.kind == VM_BAD_INPUT);
		return;
	}
	shown = vm_tune_value_text(t, &v);
	assert(vm_tune_value_parse(t, shown, &again, &err) == 0);
	assert(again.unlimited == v.unlimited && (v.text != NULL || again.n == v.n));
	free(shown);
	vm_tune_value_free(&v);
	vm_tune_value_free(&again);
}

static void of_file(const struct vm_tune_place *p)
{
	struct vm_tune_value v = VM_TUNE_VALUE_INIT;
	struct vm_err err = VM_ERR_INIT;
	char *text = NULL;

	if (vm_tune_read(p, &v, &err) >= 0) {
		if (vm_tune_compose(p, &v, false, NULL, &text, &err) == 0)
			assert(text && strlen(text) < 4096);
		free(text);
	}
	vm_tune_value_free(&v);
	text = NULL;
	if (vm_tune_read_raw(p, &text, &err) >= 0)
		assert(!text || !strchr(text, '\n'));
	free(text);
	text = NULL;
	if (vm_tune_restore_text(p, &text, &err) >= 0)
		free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t rows = 0;
	struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	char *text, name[64];

	if (size < 2 || size > 32768)
		return 0;
	if (dir < 0)
		begin();
	while (vm_tunables[rows].key)
		rows++;
	p.t = &vm_tunables[data[0] % rows];
	p.v2 = data[1] & 1;
	p.file = &(p.v2 ? p.t->v2 : p.t->v1)[data[1] >> 1 & 1];
	p.dir = dir;
	p.path = place;
	p.dev = makedev(8, 0);
	text = vm_xstrndup((const char *)data + 2, size - 2);
	typed(p.t, text);
	free(text);
	if (!p.file->name)
		return 0;
	put("memory.max", data + 2, size - 2);
	snprintf(name, sizeof(name), "%s.effective", p.file->name);
	put(name, data + 2, size - 2);
	put(p.file->name, data + 2, size - 2);
	of_file(&p);
	return 0;
}
