/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What happens, for --verbose, --dry-run and syslog.  libcore never prints: a sink is set by the CLI. */
#include <stdbool.h>
#include <stdint.h>

enum vm_log_level { VM_LOG_DEBUG, VM_LOG_STEP, VM_LOG_WARNING };
typedef void vm_log_sink(enum vm_log_level level, const char *text, void *arg);

void vm_log_set_sink(vm_log_sink *sink, void *arg);
/* One step of what a command does ("bind 0000:01:00.0 to vfio-pci"); shown by --verbose. */
void vm_log_step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Something the admin should know though the command succeeds. */
void vm_log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The one syslog line of a changing command: who, tool, object, status, milliseconds.  Secrets must have
 * been cut by the caller.  A missing syslog socket is no error. */
void vm_log_audit(const char *object, const char *what, int status, uint64_t ms);

/* What this program is called, for messages, records of who holds a lock and syslog; set by the CLI, else the
 * name it was started by. */
const char *vm_program(void);
extern const char *vm_program_name;
