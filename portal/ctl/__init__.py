"""`portalctl`: the portal from a command line, through its API alone.

Nothing here imports the portal's services or Django: what this program may do is what its token may do, and it runs
on machines that have nothing of the portal but this package.  It speaks English; sentences of the portal come as the
portal writes them.
"""
