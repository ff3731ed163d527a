"""HTTP in and out, one file per resource: translate, authorise, call a stage; never decide."""
