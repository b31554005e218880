/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Between the cache (libc alone) and the probe (jansson). */
#include <stdint.h>

#include <vm/record.h>

#include "qemu/caps/caps.h"

/* Devices whose properties are kept, NULL at the end. */
extern const char *const vm_qemu_caps_devices[];
/* An ability that shows in query-qmp-schema.  path: COMMAND or EVENT, then "arg" or "ret", then
 * names of members; "+NAME" chooses a variant, "^NAME" is a value of an enumeration, "$NAME" a
 * feature. */
struct vm_qemu_schema_row {
	const char *name, *path;
};
extern const struct vm_qemu_schema_row vm_qemu_caps_schema[]; /* NULL name at the end */

/* Changes when the tables do: what was cached with other tables is asked anew. */
uint64_t vm_qemu_caps_tables_hash(void);
/* Identity of the binary and of the places of its modules, as text; errno is set on failure. */
int vm_qemu_caps_identity(const char *emulator, char *buf, size_t len);
/* Name of the cache's file for this emulator. */
void vm_qemu_caps_file(const char *emulator, char buf[32]);
/* <lib>/caps; make: creates it.  -1 = there is none. */
int vm_qemu_caps_dir(const struct vm_state *s, bool make);
/* Takes the record over (also on failure). */
int vm_qemu_caps_from_record(struct vm_record *r, struct vm_qemu_caps **ret, struct vm_err *err);
struct vm_qmp;
/* Runs the emulator with that -machine and no guest; `ask` talks to it.  Failures as vm_qemu_caps_get() tells them. */
int vm_qemu_caps_session(const char *emulator, const char *machine, struct vm_deadline deadline,
			 int (*ask)(struct vm_qmp *q, struct vm_deadline deadline, void *arg,
				    struct vm_err *err),
			 void *arg, struct vm_err *err);
/* Runs the emulator. */
int vm_qemu_caps_probe(const char *emulator, struct vm_deadline deadline, struct vm_record *ret,
		       struct vm_err *err);
