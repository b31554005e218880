/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An event file as a damaged or hostile watcher could leave it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/events.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_events_reader r = VM_EVENTS_READER_INIT;
	const struct vm_event_line *line;
	struct vm_err err = VM_ERR_INIT;
	uint64_t number = 0, seen = 0;
	int rc;

	if (vm_events_open(-1, true, &r, &err) == 0)
		abort(); /* no directory: only what is set below is read */
	r.fd = memfd_create("events", MFD_CLOEXEC);
	if (r.fd < 0 || write(r.fd, data, size) != (ssize_t)size || lseek(r.fd, 0, SEEK_SET) != 0)
		abort();
	r.buf = vm_xmalloc(VM_EVENTS_BUFFER);
	while ((rc = vm_events_next(&r, &line, &err)) == 0) {
		assert(line->name[0] != '\0' || line->len > 0);
		assert(line->len == strlen(line->text) && line->len <= VM_EVENTS_LINE_MAX);
		assert(line->data == NULL ||
		       (line->data >= line->text &&
			line->data + line->data_len <= line->text + line->len));
		assert(seen++ == 0 || line->number == number + line->lost + 1);
		number = line->number;
	}
	assert(rc == 1 || err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED);
	vm_events_close(&r);
	return 0;
}
