import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.CloudEventDeserializer;
import io.cloudevents.kafka.CloudEventSerializer;
import java.io.File;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Takes part in Tongtu from Java: writes events into a member's outbox and reads its inbox. See README.md. */
public final class Member implements AutoCloseable {
    /** After so many it ends. */
    private static final int PROPOSALS = Integer.parseInt(System.getenv().getOrDefault("PROPOSALS", "1"));
    /** Or when nothing has come for so long. */
    private static final Duration WAIT =
            Duration.ofSeconds(Long.parseLong(System.getenv().getOrDefault("WAIT_SECONDS", "60")));
    private static final String RECEIPT = "tongtu.receipt.v1";
    private static final String REJECTION = "tongtu.rejection.v1";
    private static final String PROPOSAL = "tongtu.proposal.v1";
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A message of the inbox. */
    private record Letter(String type, JsonNode data) {
        boolean answers(CloudEvent event) {
            boolean isAnswer = type.equals(RECEIPT) || type.equals(REJECTION);
            return isAnswer && data.path("event_id").asText().equals(event.getId());
        }
    }

    private final String own;
    private final KafkaProducer<String, CloudEvent> producer;
    private final KafkaConsumer<String, CloudEvent> consumer;
    private Iterator<ConsumerRecord<String, CloudEvent>> polled = Collections.emptyIterator();

    private Member(Properties login) {
        String group = login.getProperty("group.id");
        own = group.substring(0, group.lastIndexOf('.')); // "member.<id>": the group and both topics begin so
        Properties writing = new Properties();
        writing.putAll(login);
        writing.putAll(Map.of("acks", "all", "enable.idempotence", "true"));
        Properties reading = new Properties();
        reading.putAll(login); // isolation.level=read_committed is in it, which is not Kafka's default
        reading.putAll(Map.of("auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        producer = new KafkaProducer<>(writing, new StringSerializer(), new CloudEventSerializer());
        consumer = new KafkaConsumer<>(reading, new StringDeserializer(), new CloudEventDeserializer());
        consumer.subscribe(List.of(own + ".inbox"));
    }

    /** Sends each event and waits for its answer; then reads on until there were enough proposals. */
    private void exchange(List<String> paths) throws IOException, ExecutionException, InterruptedException {
        int proposals = 0;
        for (String path : paths) {
            ObjectNode given = (ObjectNode) JSON.readTree(new File(path));
            given.put("source", "/members/" + own.substring(own.lastIndexOf('.') + 1));
            given.put("datacontenttype", "application/json");
            CloudEvent event = new JsonFormat().deserialize(JSON.writeValueAsBytes(given));
            // Returns once the event is in the log on all replicas; if anything fails, send it again under the same id.
            producer.send(new ProducerRecord<>(own + ".outbox", event)).get();
            System.out.printf("sent        %s to %s.outbox%n", event.getId(), own);
            Letter letter;
            do {
                letter = next();
                if (letter == null) {
                    throw new IllegalStateException("no answer to %s in %d s: send it again, under the same id"
                            .formatted(event.getId(), WAIT.toSeconds()));
                }
                proposals += letter.type.equals(PROPOSAL) ? 1 : 0;
            } while (!letter.answers(event));
        }
        for (Letter letter; proposals < PROPOSALS && (letter = next()) != null; ) {
            proposals += letter.type.equals(PROPOSAL) ? 1 : 0;
        }
    }

    /** The next message of the inbox, once it is handled; null when none has come for so long as WAIT says. */
    private Letter next() throws IOException {
        for (Instant end = Instant.now().plus(WAIT); !polled.hasNext(); ) {
            if (Instant.now().isAfter(end)) {
                return null;
            }
            polled = consumer.poll(Duration.ofSeconds(1)).iterator();
        }
        ConsumerRecord<String, CloudEvent> record = polled.next();
        CloudEvent event = record.value();
        Letter letter = new Letter(event.getType(), JSON.readTree(event.getData().toBytes()));
        show(letter); // your system does its work here; a repetition must do no harm,
        TopicPartition partition = new TopicPartition(record.topic(), record.partition());
        // because only now the message counts as read
        consumer.commitSync(Map.of(partition, new OffsetAndMetadata(record.offset() + 1)));
        return letter;
    }

    /** One line for a message, and one for each thing that its reader has to look at. */
    private static void show(Letter letter) {
        JsonNode data = letter.data;
        switch (letter.type) {
            case RECEIPT -> {
                JsonNode record = data.path("record");
                System.out.printf("%-11s %s: %s %s, version %s%n", text(data, "outcome"),
                        data.path("event_id").asText("-"), text(record, "kind"), text(record, "id"),
                        text(record, "version"));
                showProblems(data.path("warnings"));
            }
            case REJECTION -> {
                System.out.printf("rejected    %s: %s%n", text(data, "event_id"), text(data, "title"));
                showProblems(data.path("errors"));
            }
            case PROPOSAL -> {
                JsonNode risk = data.path("risk");
                String loss = text(risk, "status").equals("assessed")
                        ? "chance of a loss %.0f %%".formatted(100 * risk.path("p_loss").asDouble())
                        : "risk not assessed";
                System.out.printf("proposal    %s for %s: score %.0f %%, %s%n", text(data, "match_id"),
                        text(data.path("own"), "id"), 100 * data.path("score").asDouble(), loss);
                JsonNode other = data.path(data.hasNonNull("demand") ? "demand" : "technology");
                System.out.println("            " + text(other, "title"));
                for (JsonNode check : data.path("checks")) {
                    if (text(check, "verdict").equals("unmet") && check.hasNonNull("wording")) {
                        JsonNode wording = check.path("wording");
                        System.out.printf("            unmet: %s %s%n", text(wording, "zh"), text(wording, "en"));
                    }
                }
            }
            // There are more types, and there will be others: what you do not know is no error.
            default -> System.out.printf("%s %.100s%n", letter.type, data);
        }
    }

    /** Which field, and what to do. */
    private static void showProblems(JsonNode problems) {
        for (JsonNode each : problems) {
            System.out.printf("            %s: %s%n", text(each, "pointer"), text(each, "message"));
        }
    }

    private static String text(JsonNode object, String name) {
        return object.path(name).asText();
    }

    /** Leaves the consumer group, so that the next reader need not wait. */
    @Override
    public void close() {
        consumer.close();
        producer.close();
    }

    /** Arguments: the file from `tongtu members add`, which may be whole, and files with an event each. */
    public static void main(String[] arguments) throws Exception {
        Properties login = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of(arguments[0]))) {
            login.load(file);
        }
        try (Member member = new Member(login)) {
            member.exchange(List.of(arguments).subList(1, arguments.length));
        } catch (KafkaException | ExecutionException problem) {
            Throwable cause = problem instanceof ExecutionException ? problem.getCause() : problem;
            System.err.printf("Kafka tells %s: %s%n", login.getProperty("sasl.username"), cause.getMessage());
            System.exit(1);
        } catch (IllegalStateException problem) {
            System.err.println(problem.getMessage());
            System.exit(1);
        }
    }
}
