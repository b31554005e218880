/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Connection URIs: DRIVER[+TRANSPORT]://[USER@][HOST][:PORT]/PATH[?EXTRA] (vm-uri(7)). */
#include <stdbool.h>

#include <vm/err.h>

struct vm_uri {
	char *driver;	 /* "qemu" */
	char *transport; /* "ssh" or NULL */
	char *user, *host, *path, *query; /* NULL if absent; path with its '/' */
	int port;	 /* 0 = none */
	bool session;	 /* path is "/session" */
};
#define VM_URI_INIT ((struct vm_uri){ 0 })
/* NULL means $VM_CONNECT, else qemu:///system for root and qemu:///session for others. */
int vm_uri_parse(const char *text, struct vm_uri *ret, struct vm_err *err);
void vm_uri_free(struct vm_uri *u);
/*
 * For a remote (+ssh) URI: replaces this process by `ssh HOST -- the same tool` with the arguments
 * shell-quoted; files named as FILE operands go over stdin.  Returns 0 for local ones.
 */
int vm_uri_exec_remote(const struct vm_uri *u, char **argv, struct vm_err *err);
