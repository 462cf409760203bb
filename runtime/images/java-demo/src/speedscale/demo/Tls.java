package speedscale.demo;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** The server's own certificate, from the two files of a Secret of type kubernetes.io/tls. */
final class Tls {
  private static final Pattern KEY = Pattern.compile("-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----");

  private Tls() {}

  /** Returns a context that serves this chain; what it throws says what is wrong with which file. */
  static SSLContext context(Path chain, Path key) throws GeneralSecurityException, IOException {
    var pem = new ByteArrayInputStream(Files.readAllBytes(chain));
    var certificates = CertificateFactory.getInstance("X.509").generateCertificates(pem);
    if (certificates.isEmpty()) {
      throw new GeneralSecurityException(chain + ": no certificate in it");
    }
    var store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    char[] none = new char[0];
    store.setKeyEntry("server", privateKey(key), none, certificates.toArray(new Certificate[0]));
    var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, none);
    var context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    return context;
  }

  private static PrivateKey privateKey(Path path) throws GeneralSecurityException, IOException {
    var found = KEY.matcher(Files.readString(path, StandardCharsets.US_ASCII));
    if (!found.find()) {
      String remedy = "`openssl pkcs8 -topk8 -nocrypt` makes one";
      throw new GeneralSecurityException(path + ": no PKCS #8 key (BEGIN PRIVATE KEY) in it; " + remedy);
    }
    var encoded = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(found.group(1)));
    for (String kind : new String[] {"EC", "RSA", "Ed25519"}) {
      try {
        return KeyFactory.getInstance(kind).generatePrivate(encoded);
      } catch (InvalidKeySpecException e) {
        // one of the others, then
      }
    }
    throw new GeneralSecurityException(path + ": neither an EC, an RSA nor an Ed25519 key");
  }
}
