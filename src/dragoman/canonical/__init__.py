"""What people and models say, in no vendor's spelling.

``conversation`` has messages and their parts, ``request`` a whole question to a model,
``events`` the answer while it is still being spoken, ``response`` the finished answer,
``fold`` the way between those two, ``usage`` the counts, ``fidelity`` the record of what a
translation could not carry over. Pure values: nothing here knows a wire format.
"""
