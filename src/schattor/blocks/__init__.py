"""Named blocks of parameters: structures, tied arrays, views, and what comes with their gradients."""
