2:memory:/a:b
1:devices:/
