/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A client of QEMU's monitor protocol (QMP) over one connected stream socket.
 *
 * What QEMU sends is hostile input: lines, nesting, values, buffered events and pending commands
 * are capped, ids are matched, and a line that is none of greeting, reply and event ends the
 * connection. Nothing here blocks past the deadline it was given.
 *
 * Three ends of a command are told apart:
 *   success          0;
 *   QEMU's refusal   -1, VM_HYPERVISOR (CommandNotFound: VM_UNSUPPORTED), vm_qmp_refused() is the
 * class; transport        -1, vm_qmp_refused() is NULL: VM_TIMED_OUT (no answer: stopped or hung;
 * the reply may still come and is then dropped) or VM_HYPERVISOR (end of file, garbage: the
 *                    connection is of no use any more, see vm_qmp_broken()).
 *
 * Source: docs/interop/qmp-spec.txt, QEMU 7.2.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <vm/deadline.h>
#include <vm/err.h>

struct vm_qmp; /* opaque */

#define VM_QMP_LINE_MAX	       (1u << 20)  /* bytes of one line, unless vm_qmp_line_max() */
#define VM_QMP_LINE_MAX_SCHEMA (16u << 20) /* for query-qmp-schema (QEMU 7.2: 0.2 MB) */
#define VM_QMP_DEPTH_MAX       512	   /* nesting; a backing chain takes a level an image */
#define VM_QMP_VALUES_MAX      (1u << 18)  /* values in one line */
#define VM_QMP_PENDING_MAX     256	   /* commands without a collected reply */
#define VM_QMP_EVENTS_MAX      1024 /* events not yet fetched; older ones are dropped and counted */
#define VM_QMP_EVENTS_BYTES    (4u << 20)  /* of the lines they came in */
#define VM_QMP_OUT_MAX	       (16u << 20) /* bytes accepted and not yet taken by QEMU */

/*
 * Takes over a connected socket, also of a QEMU that has not begun to listen to it yet.  Nothing is
 * waited for: the greeting is read before the first reply, and commands may be sent at once, the
 * first of them "qmp_capabilities".
 */
struct vm_qmp *vm_qmp_new(int fd) __attribute__((returns_nonnull, warn_unused_result));
/* Connects to the socket dirfd/name (through a directory descriptor: sun_path is short), greets and
 * negotiates.  VM_NOT_FOUND: no such socket; VM_HYPERVISOR: nobody listens on it any more;
 * VM_TIMED_OUT: silence, which is a hung QEMU or another client that holds the socket. */
/* Before anything is sent, on a socket that others use, too: what QEMU still replies to one who is gone is passed over.  Our
 * commands are numbered from base + 1, which has to differ from everybody else's; 0 = the process and the time give it. */
void vm_qmp_after_others(struct vm_qmp *q, uint64_t base);
int vm_qmp_connect(int dirfd, const char *name, struct vm_deadline deadline, struct vm_qmp **ret,
		   struct vm_err *err) __attribute__((warn_unused_result));
/* Waits for the greeting and sends qmp_capabilities; for a client from vm_qmp_new(). */
int vm_qmp_negotiate(struct vm_qmp *q, struct vm_deadline deadline, struct vm_err *err);
/* Closes and frees; NULL is accepted, NULL is left behind. */
void vm_qmp_close(struct vm_qmp **q);

/* Sets how long a line may be from now on. */
void vm_qmp_line_max(struct vm_qmp *q, size_t bytes);
/* For poll(); borrowed. */
int vm_qmp_fd(const struct vm_qmp *q);
/* The connection ended or carried garbage: every further call fails with that error. */
bool vm_qmp_broken(const struct vm_qmp *q);
/* Class ("GenericError", "DeviceNotFound" ...) of QEMU's refusal behind the last failure of a
 * receive or call; NULL: it was a failure of the transport.  Valid until the next call. */
const char *vm_qmp_refused(const struct vm_qmp *q);
/* QEMU's version from the greeting, as 10000 * major + 100 * minor + micro; 0 before it came.  For
 * messages: abilities are found in the schema. */
unsigned vm_qmp_version(const struct vm_qmp *q);

/*
 * Sends a command without waiting for its reply (which must be collected, or vm_qmp_forget()ten).
 * fmt and what follows are jansson's json_pack() description of the arguments ("{s:s, s:b}"), NULL
 * = none. ret_id may be NULL: the reply is forgotten.
 */
int vm_qmp_send(struct vm_qmp *q, uint64_t *ret_id, struct vm_err *err, const char *command,
		const char *fmt, ...) __attribute__((warn_unused_result));
/* As vm_qmp_send() with the arguments as a value (borrowed; NULL = none). */
int vm_qmp_send_json(struct vm_qmp *q, const char *command, json_t *arguments, uint64_t *ret_id,
		     struct vm_err *err) __attribute__((warn_unused_result));
/* As vm_qmp_send() with the arguments as JSON text of an object, sent as it stands; VM_BAD_INPUT if
 * it is none. */
int vm_qmp_send_text(struct vm_qmp *q, const char *command, const char *arguments, uint64_t *ret_id,
		     struct vm_err *err) __attribute__((warn_unused_result));
/* As vm_qmp_send_text() (arguments may be NULL), passing a descriptor along (-1 = none), which
 * stays the caller's; waits until it has been sent.  No other command may wait for its reply: QEMU
 * keeps one descriptor, the one it received last.  Source: tcp_get_msgfds() of
 * chardev/char-socket.c, QEMU 7.2. */
int vm_qmp_send_fd(struct vm_qmp *q, const char *command, const char *arguments, int fd,
		   struct vm_deadline deadline, uint64_t *ret_id, struct vm_err *err)
    __attribute__((warn_unused_result));
/*
 * Collects the reply to one command, in any order.  *ret_value (may be NULL) is what it returned,
 * owned. Integers above INT64_MAX arrive as the negative number of the same bits: cast them.
 */
int vm_qmp_recv(struct vm_qmp *q, uint64_t id, struct vm_deadline deadline, json_t **ret_value,
		struct vm_err *err) __attribute__((warn_unused_result));
/* As vm_qmp_recv() with the returned value as QEMU wrote it: nothing is decoded. */
int vm_qmp_recv_text(struct vm_qmp *q, uint64_t id, struct vm_deadline deadline, char **ret_text,
		     struct vm_err *err) __attribute__((warn_unused_result));
/* While a reply is waited for and nothing comes: calls fn(arg), at once and every ms milliseconds.  fn NULL: no more. */
void vm_qmp_while_waiting(struct vm_qmp *q, unsigned ms, void (*fn)(void *arg), void *arg);
/* The reply to this command is not wanted. */
void vm_qmp_forget(struct vm_qmp *q, uint64_t id);

/* vm_qmp_send() and vm_qmp_recv() in one. */
int vm_qmp_call(struct vm_qmp *q, struct vm_deadline deadline, json_t **ret_value,
		struct vm_err *err, const char *command, const char *fmt, ...)
    __attribute__((warn_unused_result));
/* An HMP command line; *ret_text is what it printed (QEMU reports failures there too), owned. */
int vm_qmp_hmp(struct vm_qmp *q, const char *line, struct vm_deadline deadline, char **ret_text,
	       struct vm_err *err) __attribute__((warn_unused_result));

/* Hands descriptors to QEMU under names (getfd), one after the other; ours stay open. */
struct vm_qmp_named_fd {
	const char *name;
	int fd;
};
int vm_qmp_getfd(struct vm_qmp *q, const struct vm_qmp_named_fd *fds, size_t n,
		 struct vm_deadline deadline, struct vm_err *err)
    __attribute__((warn_unused_result));

struct vm_qmp_event {
	char *name;	  /* "DEVICE_DELETED" */
	uint64_t time_us; /* QEMU's CLOCK_REALTIME */
	json_t *data;	  /* NULL = none */
};
/* The oldest event not fetched yet (those that came with replies are kept).  0 = *ret is owned by
 * the caller, 1 = none before the deadline, -1 = transport. */
int vm_qmp_event_next(struct vm_qmp *q, struct vm_deadline deadline, struct vm_qmp_event *ret,
		      struct vm_err *err) __attribute__((warn_unused_result));
/* Frees what it holds; twice is fine. */
void vm_qmp_event_free(struct vm_qmp_event *ev);
/* How many events were dropped because nobody fetched them. */
uint64_t vm_qmp_events_lost(const struct vm_qmp *q);
