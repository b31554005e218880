/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <vm/mt.h>

/* The rules across a guest's objects (mt_type.check of the domain). */
int vm_domain_check(const void *obj, const struct mt_ctx *ctx, struct vm_err *err);
