3:freezer:/
2:cpuset:/
1:devices:/a b
0::/
