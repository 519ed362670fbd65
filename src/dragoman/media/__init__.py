"""Pictures, documents and recordings for upstreams that want them in another form.

``luggage`` is what one request carries and the order of the work: check, load, upload, write.
``limits`` checks what can be told before anything is read; ``loading`` decodes or fetches the
bytes, ``sniffing`` tells what they are and ``pictures`` converts them; ``shelf`` remembers which
file id an upload got, and ``tidying`` deletes files that nobody needs any more.
"""
