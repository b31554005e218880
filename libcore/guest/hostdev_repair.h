/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
struct vm_err;
struct vm_repair;
/* Host devices in the middle of a change whose program is dead and that are no guest's: put back, or completed. */
int vm_hostdevs_repair(const struct vm_repair *r, struct vm_err *err);
