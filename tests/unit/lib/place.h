/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A VM_ROOT of the test's own, and processes that behave like QEMU as far as the state on disk goes. */
#include <sys/types.h>

#include <vm/state.h>

extern struct vm_state place; /* opened for changing */
extern char place_root[];

/* cmocka's group or test fixtures. */
int place_make(void **state);
int place_remove(void **state);
/* Closes and opens `place` again. */
void place_reopen(enum vm_state_access access);

/* Fails the test with the error's message. */
#define must(call)                                                                                 \
	do {                                                                                       \
		struct vm_err *must_err = &place_err;                                              \
		*must_err = VM_ERR_INIT;                                                           \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, must_err->msg);                                  \
	} while (0)
extern struct vm_err place_err;

/* A document of that name with a UUID made of the digit, e.g. '7' (NULL name on purpose impossible). */
void place_define(const char *name, char uuid_digit);
void place_uuid(char digit, uint8_t ret[16]);
/* Writes root/path as it is, making parents. */
void place_file(const char *path, const char *text);
bool place_exists(const char *path);
char *place_text(const char *path); /* owned; NULL = none */
size_t place_count(const char *path); /* entries of a directory */

enum fake {
	FAKE_PLAIN = 0,
	FAKE_DROPS = 1,	    /* drops the lock of `alive` and lives on */
	FAKE_NO_RECORD = 2, /* the start was killed before the record */
	FAKE_STARTING = 4,  /* ... or before its commit */
	FAKE_WATCHED = 8    /* holds watch.lock too */
};
/* Runs a process that holds name's `alive` as QEMU does, with the record a start writes. */
pid_t place_run(const char *name, enum fake how);
void place_kill(pid_t pid); /* and waits */
bool place_lives(pid_t pid);
