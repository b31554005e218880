0::/user.slice/user-1000.slice/session-4.scope
