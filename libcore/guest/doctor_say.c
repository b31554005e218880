/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What checks say. */
#include "doctor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/strbuf.h>

static void add(struct vm_doctor *d, enum vm_health health, const char *remedy, const char *what)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf shown = VM_STRBUF_INIT;
	struct vm_finding *f;

	vm_strbuf_printable(&shown, what);
	d->v = vm_xreallocarray(d->v, d->n + 1, sizeof(*d->v));
	f = &d->v[d->n++];
	*f = (struct vm_finding){ .check = d->check, .health = health };
	f->what = vm_strbuf_take(&shown);
	f->remedy = vm_xstrdup(remedy != NULL && *remedy != 0 ? remedy : NULL);
}

void vm_doctor_say(struct vm_doctor *d, enum vm_health health, const char *remedy, const char *fmt, ...)
{
	VM_AUTO(vm_strbuf_free) struct vm_strbuf b = VM_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	vm_strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	add(d, health, remedy, b.text);
}

void vm_doctor_say_err(struct vm_doctor *d, enum vm_health health, const struct vm_err *err)
{
	add(d, health, err->hint, err->msg);
}

int vm_doctor_etc(const struct vm_state *s)
{
	VM_AUTO_FREE char *path = vm_xstrndup(s->etc_path, (size_t)(strrchr(s->etc_path, '/') - s->etc_path));

	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
