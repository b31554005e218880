/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Connection URIs: DRIVER[+TRANSPORT]://[USER@][HOST][:PORT]/PATH[?EXTRA] (vm-uri(7)). */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>

struct vm_uri {
	char *driver;	 /* "qemu" */
	char *transport; /* "ssh" or NULL */
	char *user, *host, *path, *query; /* NULL if absent; path with its '/' */
	int port;	 /* 0 = none */
	bool session;	 /* path is "/session" */
};
#define VM_URI_INIT ((struct vm_uri){ 0 })
/* NULL means $VM_CONNECT, else qemu:///system for root and qemu:///session for others.  VM_USAGE when it is none. */
int vm_uri_parse(const char *text, struct vm_uri *ret, struct vm_err *err);
void vm_uri_free(struct vm_uri *u);
/* What is to run at the other end of a +ssh URI. */
struct vm_uri_command {
	const char *const *argv; /* the tool and its arguments without --connect; NULL-terminated */
	const char *stdin_file;	 /* goes over stdin, where argv says "-"; NULL = our own stdin */
	bool tty;
	uint64_t timeout_ms; /* for the connection */
};
/* Replaces this process by `ssh ... -- HOST` with the command, each argument shell-quoted.  Returns only with
 * an error. */
int vm_uri_exec_remote(const struct vm_uri *u, const struct vm_uri_command *cmd, struct vm_err *err);
