/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the running guests of a libvirtd on this host use, from its own runtime files (read only, never trusted
 * further than to refuse).  Needs libc alone.
 * Source: libvirt, /run/libvirt/qemu/NAME.xml: <domstatus pid='N'> around the <domain> that runs.
 */
#include <stdbool.h>
#include <stdint.h>

#include <vm/err.h>
#include <vm/state.h>

struct vm_libvirt; /* opaque */
/* Reads them all; no libvirt on the host is fine (*ret is empty).  Files that cannot be read or understood are
 * warned of and skipped: a foreign file must not keep ours from running. */
int vm_libvirt_load(struct vm_libvirt **ret, struct vm_err *err);
void vm_libvirt_free(struct vm_libvirt *l); /* NULL is accepted */
void vm_libvirt_freep(struct vm_libvirt **l);
/* VM_IN_USE, naming the libvirt guest. */
int vm_libvirt_check_uuid(const struct vm_libvirt *l, const uint8_t uuid[16], struct vm_err *err);
int vm_libvirt_check_key(const struct vm_libvirt *l, const char *key, enum vm_claim_mode mode,
			 struct vm_err *err);
/* Adds one such document, of the file NAME.xml. Copes with anything. */
void vm_libvirt_add(struct vm_libvirt *l, const char *name, const char *text, size_t len);
struct vm_libvirt *vm_libvirt_new(void) __attribute__((returns_nonnull, warn_unused_result));
