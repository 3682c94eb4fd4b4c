"""The pages of the app: each file defines a function ``page``; executing the file draws nothing."""
